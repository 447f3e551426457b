"""The client's side of the protocol: what an agent asks of its editor is done in the sandbox, and every permission is given."""

from collections.abc import Callable
from typing import Any

from cooperbench.agents.acp.rpc import METHOD_NOT_FOUND, Json, RpcError
from cooperbench.agents.acp.terminals import INVALID, AgentTerminals
from cooperbench.environments import Environment

NOT_FOUND = -32002
CAPABILITIES = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": True}
_PREFERRED = ("allow_always", "allow_once")


class SandboxClient:
    """Answers the requests of one agent."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._terminals = AgentTerminals(env)
        self._methods: dict[str, Callable[[Json], object]] = {
            "session/request_permission": _permit,
            "fs/read_text_file": self._read,
            "fs/write_text_file": self._write,
            **self._terminals.methods,
        }

    def answer(self, method: str, parameters: Json) -> object:
        """Return the result of a request. Raises `RpcError`."""
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"unknown method {method}")
        return self._methods[method](parameters)

    def close(self) -> None:
        """End what the agent has started through the client."""
        self._terminals.close()

    def _read(self, given: Json) -> Json:
        path = _path(given)
        try:
            text = self._env.read_file(path).decode("utf-8", "replace")
        except FileNotFoundError as error:
            raise RpcError(NOT_FOUND, f"no such file: {path}") from error
        first, limit = given.get("line"), given.get("limit")
        if first is not None or limit is not None:
            lines = text.splitlines(keepends=True)[max(int(first or 1) - 1, 0) :]
            text = "".join(lines if limit is None else lines[: int(limit)])
        return {"content": text}

    def _write(self, given: Json) -> None:
        path = _path(given)
        script = 'test -e "$1" && stat -c %a "$1" || echo 644'
        mode = self._env.run_script(script, path, timeout=60.0).stdout.strip() or b"644"
        self._env.write_file(path, str(given.get("content", "")).encode("utf-8", "surrogateescape"), mode=int(mode, 8))


def _path(given: Json) -> str:
    path = given.get("path")
    if not isinstance(path, str) or not path:
        raise RpcError(INVALID, "path is missing")
    return path


def _permit(given: Json) -> dict[str, Any]:
    """Choose the option that allows most."""
    options = [option for option in given.get("options") or () if isinstance(option, dict)]
    if not options:
        return {"outcome": {"outcome": "cancelled"}}
    by_kind = {option.get("kind"): option for option in reversed(options)}
    chosen = next((by_kind[kind] for kind in _PREFERRED if kind in by_kind), options[0])
    return {"outcome": {"outcome": "selected", "optionId": chosen.get("optionId")}}
