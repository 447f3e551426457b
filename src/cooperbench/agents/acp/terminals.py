"""The commands that an agent runs through its client: processes of the sandbox, named by the client."""

import shlex
import threading
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cooperbench.agents.acp.rpc import RpcError
from cooperbench.environments import Environment, Process

INVALID = -32602
_LARGEST = 1_000_000
"""Bytes of an output that are kept when the agent names no limit."""
_PATIENCE = 10.0
"""Seconds for the end of a command that was killed."""


class _Variable(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    value: str


class TerminalRequest(BaseModel):
    """What `terminal/create` asks for."""

    model_config = ConfigDict(extra="ignore")

    command: str
    args: tuple[str, ...] = ()
    env: tuple[_Variable, ...] = ()
    cwd: str | None = None
    limit: int | None = Field(None, alias="outputByteLimit", ge=0)

    @property
    def line(self) -> str:
        """The command line, with stderr in stdout. An agent may name a program with arguments, or a whole line."""
        words = shlex.join([self.command, *self.args]) if self.args else self.command
        return f"exec 2>&1\n{words}"


class AgentTerminal:
    """One command with its output so far."""

    def __init__(self, env: Environment, request: TerminalRequest) -> None:
        variables = {variable.name: variable.value for variable in request.env}
        self._process: Process = env.spawn(request.line, env=variables, cwd=request.cwd)
        self._limit = _LARGEST if request.limit is None else request.limit
        self._lock = threading.Lock()
        self._output = ""
        self._cut = False
        self._over = threading.Event()
        threading.Thread(target=self._read, name="acp-terminal", daemon=True).start()

    def output(self) -> dict[str, Any]:
        """Return the end of the output, and the exit status once there is one."""
        with self._lock:
            found: dict[str, Any] = {"output": self._output, "truncated": self._cut}
        return {**found, "exitStatus": self._status()} if self._over.is_set() else found

    def wait(self) -> dict[str, Any]:
        """Wait for the end."""
        self._over.wait()
        return self._status()

    def kill(self) -> None:
        """End the command; its output stays."""
        self._process.kill()

    def close(self) -> None:
        """End the command and forget it."""
        self._process.kill()
        self._over.wait(_PATIENCE)  # a process is read by one thread, also while it is closed
        self._process.close()

    def _status(self) -> dict[str, Any]:
        return {"exitCode": self._process.returncode, "signal": None}

    def _read(self) -> None:
        try:
            for line in self._process:
                with self._lock:
                    whole = f"{self._output}{line}\n"
                    data = whole.encode("utf-8", "replace")
                    self._cut = self._cut or len(data) > self._limit
                    self._output = data[-self._limit :].decode("utf-8", "ignore") if self._limit else ""
        finally:
            self._over.set()


class AgentTerminals:
    """Answers the methods `terminal/*`."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._open: dict[str, AgentTerminal] = {}
        self._lock = threading.Lock()
        self._number = 0
        self.methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "terminal/create": self._create,
            "terminal/output": lambda given: self._find(given).output(),
            "terminal/wait_for_exit": lambda given: self._find(given).wait(),
            "terminal/kill": self._kill,
            "terminal/release": self._release,
        }

    def close(self) -> None:
        """End all commands."""
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for terminal in left:
            terminal.close()

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        terminal = AgentTerminal(self._env, TerminalRequest.model_validate(given))
        with self._lock:
            self._number += 1
            name = f"terminal-{self._number}"
            self._open[name] = terminal
        return {"terminalId": name}

    def _find(self, given: dict[str, Any]) -> AgentTerminal:
        with self._lock:
            found = self._open.get(str(given.get("terminalId")))
        if found is None:
            raise RpcError(INVALID, f"there is no terminal {given.get('terminalId')}")
        return found

    def _kill(self, given: dict[str, Any]) -> dict[str, Any]:
        self._find(given).kill()
        return {}

    def _release(self, given: dict[str, Any]) -> dict[str, Any]:
        self._find(given).close()
        with self._lock:
            self._open.pop(str(given.get("terminalId")), None)
        return {}
