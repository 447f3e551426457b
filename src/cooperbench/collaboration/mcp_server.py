"""The Model Context Protocol over `coop`: tools for programs that speak it, in a sandbox without a network and without Python.

`coop mcp` in the sandbox is the server's stdio: a shell that hands in each line as a call of its own, so a tool that waits holds up
no other. Everything else is done here. Specification: https://modelcontextprotocol.io, revisions since 2024-11-05.
"""

import dataclasses
import json
import threading
from collections.abc import Callable, Sequence

from cooperbench.collaboration.rpc import Call, CoopTool, Handler, Json, Reply
from cooperbench.errors import UsageError

REVISIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


class _Cancelled(threading.Event):
    """Set when its client gives a request up, or when the call that brought it is cancelled."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    def is_set(self) -> bool:
        """Return whether nobody waits for the answer."""
        return super().is_set() or self._call.cancelled.is_set()


class McpServer:
    """Answers the messages of MCP clients. `guarded` carries out a handler and turns its errors into a reply; `wake` wakes
    handlers that wait, after their call was cancelled.
    """

    def __init__(
        self, tools: Sequence[CoopTool], guarded: Callable[[Handler, Call], Reply], wake: Callable[[], None]
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._guarded = guarded
        self._wake = wake
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], threading.Event] = {}
        """Calls that are under way, by the client's name and the id of the request."""
        self._gone: set[str] = set()
        """Clients that have hung up; their last calls may come later than that."""

    def answer(self, call: Call) -> Reply:
        """Answer one message on standard input; its only argument names the client. No message means that the client is gone."""
        client = "".join(call.arguments[:1])
        if not call.input.strip():
            self._cancel(client)
            return Reply()
        try:
            message = json.loads(call.input)
        except (ValueError, RecursionError):
            return _error(None, PARSE_ERROR, "the message is not JSON")
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _error(None, INVALID_REQUEST, "the message is not a request")
        method, given = message["method"], message.get("params")
        parameters = given if isinstance(given, dict) else {}
        if "id" not in message:
            if method == "notifications/cancelled":
                self._cancel(client, json.dumps(parameters.get("requestId")))
            return Reply()
        return self._request(client, message["id"], method, parameters, call)

    def _request(self, client: str, identifier: object, method: str, parameters: Json, call: Call) -> Reply:
        match method:
            case "initialize":
                return _result(identifier, _hello(parameters))
            case "ping":
                return _result(identifier, {})
            case "tools/list":
                return _result(identifier, {"tools": [_described(tool) for tool in self._tools.values()]})
            case "tools/call":
                tool = self._tools.get(str(parameters.get("name")))
                if tool is None:
                    return _error(identifier, INVALID_PARAMS, f"unknown tool {parameters.get('name')!r}")
                given = parameters.get("arguments")
                key = client, json.dumps(identifier)
                return self._use(tool, given if isinstance(given, dict) else {}, identifier, key, call)
            case _:
                return _error(identifier, METHOD_NOT_FOUND, f"unknown method {method}")

    def _use(self, tool: CoopTool, given: Json, identifier: object, key: tuple[str, str], call: Call) -> Reply:
        try:
            tool.check(given)
        except UsageError as error:
            return _result(identifier, _content(str(error), failed=True))
        cancelled = _Cancelled(call)
        with self._lock:
            self._open[key] = cancelled
            if key[0] in self._gone:
                cancelled.set()
        try:
            reply = self._guarded(tool.handler, dataclasses.replace(tool.call(given), cancelled=cancelled))
        finally:
            with self._lock:
                self._open.pop(key, None)
        if cancelled.is_set():
            reply.dropped()
            return Reply()  # the protocol wants no answer
        text = (reply.stdout + reply.stderr).decode("utf-8", "replace").strip()
        content = _content(text or "done", failed=reply.exit_code not in tool.expected)
        return dataclasses.replace(_result(identifier, content), received=reply.received, dropped=reply.dropped)

    def _cancel(self, client: str, request: str | None = None) -> None:
        """Cancel a request of a client, or all of them."""
        with self._lock:
            if request is None:
                self._gone.add(client)
            cancelled = [
                event for (name, number), event in self._open.items() if name == client and request in (None, number)
            ]
        for event in cancelled:
            event.set()
        if cancelled:
            self._wake()


def _hello(parameters: Json) -> Json:
    asked = parameters.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in REVISIONS else REVISIONS[0],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "coop", "version": "1"},
        "instructions": "These tools reach your teammates. They do what the command `coop` does.",
    }


def _described(tool: CoopTool) -> Json:
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.schema}


def _content(text: str, *, failed: bool) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def _result(identifier: object, result: Json) -> Reply:
    return _reply({"id": identifier, "result": result})


def _error(identifier: object, code: int, message: str) -> Reply:
    return _reply({"id": identifier, "error": {"code": code, "message": message}})


def _reply(message: Json) -> Reply:
    return Reply(stdout=json.dumps({"jsonrpc": "2.0", **message}).encode())
