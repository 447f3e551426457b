"""Tell events from other lines in what a program writes.

A program may be killed in the middle of a line, and mix lines for people with events. Nothing of that ends the reading: what is not
an event is a text.
"""

import json
from typing import Any, NamedTuple

DEEPEST = 100
"""Levels of nested values. Deeper ones cannot be written again by every library, and are text."""


class EventLine(NamedTuple):
    """One line: an event, or a text."""

    event: dict[str, Any] | None
    text: str


def read_line(text: str) -> EventLine:
    """Read one line. An event is a JSON object."""
    text = text.strip("\r\n")
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
