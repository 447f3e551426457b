"""Remote calls over the bridge between a sandbox and the harness: `coop` calls, replies, and the services that answer."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cooperbench.records.visible import one_line


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
class Service:
    """The commands of one capability."""

    handlers: Mapping[str, Handler]
    usage: Mapping[str, str]
    """Lines of `coop help`: the synopsis of each command, and what it does in a few words."""
    programs: Mapping[str, bytes] = field(default_factory=dict)
    """Further executables for the sandbox, beside `coop`."""
    cancel: Callable[[], None] = _nothing
    """Called after a call's `cancelled` was set, to wake a handler that waits."""
    close: Callable[[], None] = _nothing


def refuse(message: str, exit_code: int = 1) -> Reply:
    """Reply with one line on standard error. Exit codes: 1 refused or failed, 2 wrong usage."""
    return Reply(exit_code, stderr=f"coop: {one_line(message)}\n".encode())
