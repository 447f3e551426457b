"""Printing for people and for programs.

Names, messages and errors come from agents, models, repositories and records of others. Nothing in them reaches a terminal as a
control character: what is printed goes through a `VisibleStream`, and tables and live displays through a `VisibleConsole`.
"""

import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, TYPE_CHECKING, Any, cast

from cooperbench.records.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from cooperbench.environments import Check


class VisibleStream:
    """A text stream in which control characters become visible, and that can encode everything."""

    def __init__(self, stream: IO[str]) -> None:
        self.hidden = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write `text`, and return its length. A progress bar may begin with a return to the line's start."""
        self.hidden.write("\r" * text.startswith("\r") + visible(text.removeprefix("\r")))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        if name in ("buffer", "detach"):  # the ways around `write`
            raise AttributeError(name)
        return getattr(self.hidden, name)


@contextmanager
def visible_output() -> Iterator[None]:
    """Make all that is printed within the block visible."""
    with (
        redirect_stdout(cast("IO[str]", VisibleStream(sys.stdout))),
        redirect_stderr(cast("IO[str]", VisibleStream(sys.stderr))),
    ):
        yield


def unfiltered(stream: IO[str]) -> IO[str]:
    """Return the stream itself, for what may command a terminal."""
    return stream.hidden if isinstance(stream, VisibleStream) else stream


def console() -> "Console":
    """Return a console for standard output."""
    from cooperbench.cli.visible_console import VisibleConsole

    out = VisibleConsole(sys.stdout)
    # Not cut to the width of a terminal when there is none: other programs read it.
    return out if out.is_terminal else VisibleConsole(sys.stdout, width=200)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 task` or `3 tasks`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def print_json(value: Any) -> None:
    """Print JSON for programs to read."""
    print(json.dumps(value, indent=2))


def check_lines(checks: "Iterable[Check]") -> Iterator[str]:
    """Yield a line for each check, and another with its fix."""
    for check in checks:
        yield f"  {'ok     ' if check.ok else 'missing'} {check.name}: {check.detail}"
        if check.fix:
            yield f"          try: {check.fix}"
