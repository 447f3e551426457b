"""Take values from events of programs, which change from version to version: whatever has another type is absent."""

import json
from typing import Any

_LONGEST = 1000 * 86_400 * 365
"""Milliseconds of a year."""


def text_of(value: object) -> str:
    """Return a text; the texts of a list of parts; anything else as JSON, and nothing for `None`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, dict) and "text" in part for part in value):
        return "\n".join(text_of(part["text"]) for part in value)
    return json.dumps(value, ensure_ascii=False, default=str)


def mapping(value: object) -> dict[str, Any]:
    """Return a mapping, empty if it is something else."""
    return value if isinstance(value, dict) else {}


def parts(value: object) -> list[dict[str, Any]]:
    """Return the mappings of a list; none if it is something else."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def whole(value: object) -> int | None:
    """Return a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def arguments_of(value: object) -> dict[str, Any]:
    """Return the arguments of a tool, which some programs give as JSON text; anything else is kept under `raw`."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {"raw": value}
    return value if isinstance(value, dict) else {} if value is None else {"raw": value}


def seconds_between(start: object, end: object) -> float | None:
    """Return the seconds between two times in milliseconds; `None` unless they can be the times of one command."""
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    return (end - start) / 1000 if 0 <= end - start < _LONGEST else None
