"""Remote calls over the bridge between a sandbox and the harness: `coop` calls, replies, and the services that answer."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cooperbench.errors import UsageError, suggestion
from cooperbench.records.visible import one_line

Json = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "integer": (int,)}


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Call:
    """One `coop` call."""

    arguments: list[str]
    """The words after `coop <command>`. Bytes that are not UTF-8 are surrogates, which `os.fsencode` turns back."""
    input: bytes = b""
    """Standard input, when one of the arguments is `-`."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the caller is gone; a handler that waits should stop then."""


@dataclass(frozen=True)
class Reply:
    """The output and exit code of a `coop` call."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    received: Callable[[], None] = _nothing
    """Called once the caller has written all of it."""
    dropped: Callable[[], None] = _nothing
    """Called instead when the caller was gone by then."""


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class CoopTool:
    """One tool. `call` makes the call of its command from arguments that were checked."""

    name: str
    description: str
    parameters: Mapping[str, Json]
    """The JSON schema of each parameter, which has one of the types string, number and integer."""
    required: tuple[str, ...]
    handler: Handler
    call: Callable[[Json], Call]
    expected: tuple[int, ...] = (0,)
    """Exit codes that are not failures."""

    @property
    def schema(self) -> Json:
        """The JSON schema of the arguments."""
        return {"type": "object", "properties": dict(self.parameters), "required": list(self.required)}

    def check(self, given: Json) -> None:
        """Raise `UsageError` for arguments that are missing, unknown or of a wrong type."""
        for name in self.required:
            if given.get(name) is None:
                raise UsageError(f"`{name}` is missing", subject=name)
        for name, value in given.items():
            if name not in self.parameters:
                raise UsageError(f"unknown argument {name!r}{suggestion(name, self.parameters, '')}", subject=name)
            kind = self.parameters[name]["type"]
            if value is not None and (isinstance(value, bool) or not isinstance(value, _TYPES[kind])):
                raise UsageError(f"`{name}` must be a {kind}", subject=name)


@dataclass(frozen=True)
class Service:
    """The commands of one capability."""

    handlers: Mapping[str, Handler]
    usage: Mapping[str, str]
    """Lines of `coop help`: the synopsis of each command, and what it does in a few words."""
    programs: Mapping[str, bytes] = field(default_factory=dict)
    """Further executables for the sandbox, beside `coop`."""
    tools: Sequence[CoopTool] = ()
    """The commands as tools, for programs that speak the Model Context Protocol."""
    cancel: Callable[[], None] = _nothing
    """Called after a call's `cancelled` was set, to wake a handler that waits."""
    close: Callable[[], None] = _nothing


def refuse(message: str, exit_code: int = 1) -> Reply:
    """Reply with one line on standard error. Exit codes: 1 refused or failed, 2 wrong usage."""
    return Reply(exit_code, stderr=f"coop: {one_line(message)}\n".encode())


def parameter(kind: str, description: str) -> Json:
    """Return the JSON schema of a parameter."""
    return {"type": kind, "description": description}


def options(given: Json, **names: str) -> list[str]:
    """Return the options of a command for those arguments that are given: `options(given, wait_seconds="--wait")`."""
    return [
        word for name, option in names.items() if given.get(name) is not None for word in (option, str(given[name]))
    ]
