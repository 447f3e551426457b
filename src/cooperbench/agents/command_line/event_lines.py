"""Split what a program writes into lines and events, whatever it writes.

A program may be killed in the middle of a line, write bytes that are not UTF-8, mix lines for people with events, and put a file of
100 MB on one line. Nothing of that ends the reading; what is not an event is kept as a line of text.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes. A tool result with a picture in it has some megabytes; a line that is longer is cut, and is text then."""
DEEPEST = 100
"""Levels of nested values. Deeper ones cannot be written again by every library, and are text."""


class EventLine(NamedTuple):
    """One line: an event, or a text."""

    event: dict[str, Any] | None
    text: str


class LineReader:
    """Collects bytes and gives whole lines. A line is scanned once, however small the pieces are in which it comes."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[EventLine]:
        """Yield each line that `data` completes. Empty lines are left out."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._keep(end)
            yield from self.finish()
        self._keep(rest)

    def finish(self) -> Iterator[EventLine]:
        """Yield the line that has not ended, if there is one."""
        line, self._pieces, self._size = b"".join(self._pieces), [], 0
        if line.strip():
            yield read_line(line)

    def _keep(self, piece: bytes) -> None:
        piece = piece[: self._longest - self._size]
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)


def read_line(line: bytes) -> EventLine:
    """Read one line. An event is a JSON object."""
    text = line.decode("utf-8", "replace").strip("\r\n")
    if text.lstrip().startswith("{"):
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            return EventLine(None, text)
        if isinstance(event, dict) and not _deeper(event, DEEPEST):
            return EventLine(event, text)
    return EventLine(None, text)


def _deeper(value: object, levels: int) -> bool:
    """Return whether values are nested in more levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper(each, levels - 1) for each in inner)
