"""Texts of agents and models for a page: readable whatever their shape, and cut where they are enormous."""

import json
from typing import Any

LONGEST = 200_000
"""Characters of one text. The record has all of it; a line of 10 MB would make the page as large."""
_DEEPEST = 30


def cut(text: str) -> str:
    """Return a text that can be encoded, and say so where its end is left out."""
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} characters more are in the record"


def as_text(message: dict[str, Any], key: str = "content") -> str:
    """Return a message's text: a string, the text parts of a list, or whatever else it holds as JSON."""
    content = message.get(key)
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        if all(isinstance(part, str) for part in parts):
            return "\n".join(str(part) for part in parts)
    return json.dumps(content, ensure_ascii=False)


def raw_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as it is in the trajectory, with texts cut where they are enormous."""
    return {cut(str(key)): _plain(value, 0) for key, value in message.items()}


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return cut(value)
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {cut(str(key)): _plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    return value
