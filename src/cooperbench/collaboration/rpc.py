"""What passes over the bridge between a sandbox and the harness: calls of `coop`, replies, and who gives them."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Call:
    """One `coop` call, as a handler gets it."""

    arguments: list[str]
    """What followed `coop <command>`; bytes that are not UTF-8 are surrogates (`os.fsencode` gives them back)."""
    input: bytes = b""
    """Standard input, when one of the arguments is `-`."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the caller is gone; a handler that waits for something should stop then."""


@dataclass(frozen=True)
class Reply:
    """What `coop` prints and how it exits."""

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    received: Callable[[], None] = _nothing
    """Called when the caller has written all of it."""
    dropped: Callable[[], None] = _nothing
    """Called instead when the caller was gone before."""


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Service:
    """What one capability adds to a bridge."""

    handlers: Mapping[str, Handler]
    usage: Mapping[str, str]
    """For `coop help`: how a command is written, and what it does in a few words."""
    programs: Mapping[str, bytes] = field(default_factory=dict)
    """Further executables for the sandbox, beside `coop`."""
    cancel: Callable[[], None] = _nothing
    """Called after a call's `cancelled` was set, to wake a handler that waits."""
    close: Callable[[], None] = _nothing


def refuse(message: str, exit_code: int = 1) -> Reply:
    """A reply that is one line on standard error. Exit codes: 1 refused or failed, 2 wrong usage."""
    return Reply(exit_code, stderr=f"coop: {message}\n".encode(errors="surrogateescape"))
