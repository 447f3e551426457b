"""Make what is sent to a provider of the history: a view that every provider accepts, never the record itself.

The history holds what models and teammates wrote: half characters, arguments that are not JSON, calls without an id or with one used
before, fields that only answers have. Strict servers refuse a request for each of these, and all later requests with it. In the view,
every text can be encoded; every call has an id of its own, arguments that are a JSON object, and exactly one result that follows it; no
turn is empty; no two turns of the user follow each other.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

REASONING = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "provider_specific_fields",
    "extra_content",
)
"""Fields of answers that some providers require back and others refuse."""  # fmt: skip
DEEPEST = 50
"""Levels of nested JSON that are kept."""
TOO_DEEP = "(nested too deep)"
EMPTY = "(empty)"
NO_RESULT = "(no result)"
PLAIN_ROLES = {"system": "system", "developer": "system", "assistant": "assistant", "user": "user", "tool": "tool"}


def provider_view(messages: list[dict[str, Any]], *, reasoning: bool = False) -> list[dict[str, Any]]:
    """Return the messages for a provider, with the fields of `REASONING` only if `reasoning`."""
    return _View(reasoning).build(messages)


def strict_turns(view: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a view for servers that take no system prompt and no turn of the user after a result: both join what is before or after.

    Mistral refuses the latter, and templates of chat models such as Gemma's the former.
    """
    strict: list[dict[str, Any]] = []
    for message in view:
        last = strict[-1] if strict else {}
        text = isinstance(message["content"], str) and isinstance(last.get("content"), str)
        if message["role"] == "user" and last.get("role") in {"user", "tool"} and text:
            strict[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            strict.append({**message, "role": "user"} if message["role"] == "system" else message)
    return strict


def has_reasoning(view: list[dict[str, Any]]) -> bool:
    """Return whether a view holds fields that not all providers accept."""
    calls = [call for message in view for call in message.get("tool_calls", ())]
    return any(name in item for item in [*view, *calls] for name in REASONING)


def clean_text(text: str) -> str:
    """Replace what UTF-8 cannot encode: halves of surrogate pairs that belong together are joined, others become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean(value: Any, depth: int = 0) -> Any:
    """Return a value that strict JSON can hold: every text can be encoded, every number is finite, nothing is nested without end."""
    if depth > DEEPEST:
        return TOO_DEEP
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return clean_text(str(value))


def content_text(content: object, depth: int = 0) -> str:
    """Return the text of a content: a string, a list of parts, or nothing. Thoughts among the parts are left out."""
    if depth > DEEPEST:
        return TOO_DEEP
    if isinstance(content, list | tuple):
        return "".join(content_text(part, depth + 1) for part in content)
    if isinstance(content, dict):
        if str(content.get("type")) in {"thinking", "reasoning", "redacted_thinking"}:
            return ""
        told = next((content[name] for name in ("text", "content", "refusal") if content.get(name)), None)
        return content_text(told, depth + 1)
    return "" if content is None else clean_text(str(content))


def json_object(arguments: object) -> dict[str, Any] | None:
    """Return arguments as a JSON object, whether given as text, as an object, or as text in text; `None` if they are neither."""
    for _ in range(2):
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments, strict=False, parse_constant=str) if arguments.strip() else {}
            except (ValueError, RecursionError):
                return None
    arguments = {} if arguments is None else arguments
    return clean(arguments) if isinstance(arguments, dict) else None


class _View:
    """Builds a view, message by message."""

    def __init__(self, reasoning: bool) -> None:
        self._reasoning = reasoning
        self._view: list[dict[str, Any]] = []
        self._open: list[tuple[str, str]] = []
        """Calls without a result so far: their ids in the history and in the view."""
        self._ids: set[str] = set()
        self._numbers = self._made_ids()

    def build(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for message in messages:
            role = PLAIN_ROLES.get(str(message.get("role")), "user")
            if role == "tool":
                self._add_result(message)
                continue
            self._close()
            if role == "assistant":
                self._add_answer(message)
            else:
                self._add_text(role, message.get("content"))
        self._close()
        return self._view

    def _add_text(self, role: str, content: object) -> None:
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        if any(part.get("type") not in {None, "text", "input_text"} for part in parts):  # pictures and the like
            self._view.append({"role": role, "content": clean(parts)})
            return
        text = content_text(content)
        if not text.strip():
            return
        last = self._view[-1] if self._view else {}
        if role == last.get("role") == "user" and isinstance(last["content"], str):
            self._view[-1] = {**last, "content": f"{last['content']}\n\n{text}"}
        else:
            self._view.append({"role": role, "content": text})

    def _add_answer(self, message: dict[str, Any]) -> None:
        text = content_text(message.get("content"))
        given = message.get("tool_calls")
        calls = [self._call(call) for call in given if isinstance(call, dict)] if isinstance(given, list) else []
        answer: dict[str, Any] = {"role": "assistant", "content": text if text.strip() else None if calls else EMPTY}
        if calls:
            answer["tool_calls"] = calls
        self._view.append({**answer, **self._kept(message)})

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        arguments = json_object(function.get("arguments"))
        if arguments is None:
            arguments = {"unreadable": content_text(function.get("arguments"))}
        identifier = self._new_id(call.get("id"))
        self._open.append((str(call.get("id")), identifier))
        name = content_text(function.get("name")).strip() or "unknown"
        named = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        return {"id": identifier, "type": "function", "function": named, **self._kept(call)}

    def _kept(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an answer that a provider may require back."""
        return {name: clean(item[name]) for name in REASONING if self._reasoning and _says_something(item.get(name))}

    def _add_result(self, message: dict[str, Any]) -> None:
        text = content_text(message.get("content"))
        wanted = str(message.get("tool_call_id"))
        match = next((pair for pair in self._open if pair[0] == wanted), None)
        if match is None:
            self._close()
            self._add_text("user", text)
            return
        self._open.remove(match)
        self._view.append({"role": "tool", "tool_call_id": match[1], "content": text if text.strip() else EMPTY})

    def _close(self) -> None:
        """Answer the calls that have no result."""
        for _, identifier in self._open:
            self._view.append({"role": "tool", "tool_call_id": identifier, "content": NO_RESULT})
        self._open = []

    def _new_id(self, given: object) -> str:
        usable = (
            isinstance(given, str) and given.isascii() and given.isprintable() and given.strip() and " " not in given
        )
        identifier = str(given) if usable and given not in self._ids else next(self._numbers)
        self._ids.add(identifier)
        return identifier

    def _made_ids(self) -> Iterator[str]:
        """Make ids of nine letters and digits, the only form that Mistral accepts."""
        number = 0
        while True:
            number += 1
            if (made := f"call{number:05d}") not in self._ids:
                yield made


def _says_something(value: object) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)
