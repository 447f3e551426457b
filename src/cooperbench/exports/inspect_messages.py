"""Messages of a trajectory as chat messages of Inspect."""

import json
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
)
from inspect_ai.tool import ToolCall

from cooperbench.records import TrajectoryMessage

_PLAIN = {"system": ChatMessageSystem, "developer": ChatMessageSystem}


def chat_messages(agent_id: str, entries: Sequence[TrajectoryMessage], model: str) -> list[Any]:
    """Convert a history. Each message has an id that names the member and its position."""
    functions: dict[str, str] = {}
    found = []
    for position, entry in enumerate(entries):
        message, identity = entry.message, f"{agent_id}-{position}"
        calls = tool_calls(message)
        functions |= {call.id: call.function for call in calls}
        text, rest = text_of(message), {"id": identity, "metadata": _extra(entry)}
        match message.get("role"):
            case "assistant":
                content = _with_reasoning(message, text)
                found.append(ChatMessageAssistant(content=content, tool_calls=calls or None, model=model, **rest))
            case "tool":
                call_id = str(message.get("tool_call_id") or "")
                function = functions.get(call_id)
                found.append(ChatMessageTool(content=text, tool_call_id=call_id or None, function=function, **rest))
            case role:
                found.append(_PLAIN.get(str(role), ChatMessageUser)(content=text, **rest))
    return found


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message; parts that are not text as JSON."""
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return content or ""
    if isinstance(content, list):
        texts = [
            part.get("text") if isinstance(part, dict) and "text" in part else json.dumps(part) for part in content
        ]
        return "\n".join(str(text) for text in texts)
    return json.dumps(content)


def tool_calls(message: dict[str, Any]) -> list[ToolCall]:
    """Return the tool calls of a message. Arguments that are not a JSON object become one with the text in it."""
    found = []
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        given = function.get("arguments")
        try:
            arguments = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            arguments = given
        wrong = None if isinstance(arguments, dict) else "the arguments are not a JSON object"
        found.append(
            ToolCall(
                id=str(call.get("id") or f"call-{number}"),
                function=str(function.get("name") or "unknown"),
                arguments=arguments if isinstance(arguments, dict) else {"arguments": arguments},
                parse_error=wrong,
            )
        )
    return found


def _with_reasoning(message: dict[str, Any], text: str) -> Any:
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return [ContentReasoning(reasoning=reasoning), ContentText(text=text)] if isinstance(reasoning, str) else text


def _extra(entry: TrajectoryMessage) -> dict[str, Any] | None:
    """Keep what is in neither text nor tool calls."""
    known = {"role", "content", "tool_calls", "tool_call_id", "reasoning_content", "reasoning", "name"}
    extra = {name: value for name, value in entry.message.items() if name not in known}
    time = {} if entry.time is None else {"time": entry.time.isoformat()}
    return {**time, **extra} or None
