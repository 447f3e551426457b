"""Server-sent events, cut out of bytes that come in any pieces.

Blocks are passed on as they are, byte for byte, as soon as they are complete: a parser in a program cannot use a part of one.
"""

import json
import re
from typing import NamedTuple

from cooperbench.errors import ModelAnswerError
from cooperbench.gateway.dialects import Json

LARGEST_EVENT = 64 * 1024 * 1024
"""Bytes."""
_END = re.compile(rb"\r?\n\r?\n|\r\r")


class EventBlock(NamedTuple):
    """The bytes of an event up to the empty line behind it, and its data; `None` where that is not a JSON object."""

    raw: bytes
    data: Json | None
    done: bool
    """Whether it says that the stream ends, as `[DONE]` does."""


class EventSplitter:
    """Cuts a stream into events."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[EventBlock]:
        """Add bytes, and return the events that are complete now. Raises `ModelAnswerError` for an endless one."""
        searched = max(len(self._rest) - 3, 0)
        self._rest += data
        blocks, start = [], 0
        while found := _END.search(self._rest, max(searched, start)):
            blocks.append(_block(bytes(self._rest[start : found.end()])))
            start = found.end()
        del self._rest[:start]
        if len(self._rest) > LARGEST_EVENT:
            raise ModelAnswerError(f"an event of the provider is larger than {LARGEST_EVENT} bytes")
        return blocks

    def rest(self) -> list[EventBlock]:
        """Return what came without an empty line behind it, at the end of the stream."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [_block(rest)] if rest else []


def _block(raw: bytes) -> EventBlock:
    lines = [line.removeprefix(b"data:") for line in raw.splitlines() if line.startswith(b"data:")]
    text = b"\n".join(lines).strip()
    if text == b"[DONE]":
        return EventBlock(raw, None, True)
    return EventBlock(raw, read_json(text), False)


def read_json(text: bytes) -> Json | None:
    """Return a JSON object; `None` for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
