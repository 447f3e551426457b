"""JSON-RPC 2.0 with a program, both ways: calls with results, requests of the program, notifications.

Programs print other things too, and new versions send what is not known yet. Neither ends the conversation: what is not a message of
the protocol is counted and kept.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from cooperbench.errors import AgentError

Json = dict[str, Any]
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
LONGEST_NOISE = 2000
"""Characters that are kept of what is not a message."""


class RpcError(AgentError):
    """The other side answered a call with an error, or ours does."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _PendingCall:
    """A call whose answer has not come yet."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.answer: Json | None = None
        """`None` when the program has ended first."""


class RpcPeer:
    """One end of a conversation. One thread feeds it lines; calls may be made from others."""

    def __init__(
        self, send: Callable[[bytes], None], answer: Callable[[str, Json], object], notice: Callable[[str, Json], None]
    ) -> None:
        self._send_bytes = send
        self._answer = answer
        self._notice = notice
        self._lock = threading.Lock()
        self._pending: dict[int, _PendingCall] = {}
        self._number = 0
        self._ended = False
        self.noise = ""
        """The beginning of what the program printed that is not a message."""

    def call(self, method: str, parameters: Json, tick: Callable[[float], None] = lambda seconds: None) -> Json:
        """Call a method of the program, and wait for the result. `tick` gets the seconds waited so far, and may raise.

        Raises `RpcError` for an error, and `AgentError` when the program has ended.
        """
        pending = _PendingCall()
        with self._lock:
            self._number += 1
            number = self._number
            self._pending[number] = pending
            if self._ended:
                pending.over.set()
        self._send({"id": number, "method": method, "params": parameters})
        waited = 0
        while not pending.over.wait(1.0):
            waited += 1
            tick(float(waited))
        if pending.answer is None:
            raise AgentError(f"the program ended before it answered {method}")
        if isinstance(error := pending.answer.get("error"), dict):
            detail = error.get("data")
            more = f" ({json.dumps(detail)[:300]})" if detail else ""
            raise RpcError(_code(error), f"{method} failed: {error.get('message')}{more}")
        result = pending.answer.get("result")
        return result if isinstance(result, dict) else {}

    def notify(self, method: str, parameters: Json) -> None:
        """Tell the program something that it does not answer."""
        self._send({"method": method, "params": parameters})

    def feed(self, line: str) -> None:
        """Take one line of the program. Its requests are answered in threads of their own."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not ("method" in message or "id" in message):
            self.noise = f"{self.noise}{line}\n"[:LONGEST_NOISE]
            return
        parameters = message.get("params")
        parameters = parameters if isinstance(parameters, dict) else {}
        if "method" not in message:
            self._take_answer(message)
        elif "id" not in message:
            self._notice(str(message["method"]), parameters)
        else:
            arguments = (message["id"], str(message["method"]), parameters)
            threading.Thread(target=self._reply, args=arguments, name="acp-request", daemon=True).start()

    def end(self) -> None:
        """Let all calls fail: the program has ended."""
        with self._lock:
            self._ended = True
            pending = list(self._pending.values())
        for each in pending:
            each.over.set()

    def _take_answer(self, message: Json) -> None:
        with self._lock:
            number = message["id"]
            pending = self._pending.pop(number, None) if isinstance(number, int) else None
        if pending is not None:
            pending.answer = message
            pending.over.set()

    def _reply(self, identifier: object, method: str, parameters: Json) -> None:
        try:
            answer: Json = {"result": self._answer(method, parameters)}
        except RpcError as error:
            answer = {"error": {"code": error.code, "message": error.message}}
        except Exception as error:
            answer = {"error": {"code": INTERNAL_ERROR, "message": str(error) or type(error).__name__}}
        self._send({"id": identifier, **answer})

    def _send(self, message: Json) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        try:
            self._send_bytes(data)
        except Exception:
            self.end()


def _code(error: Json) -> int:
    code = error.get("code")
    return code if isinstance(code, int) else INTERNAL_ERROR
