"""Programs without a format of their own here: JSON lines, or the text that people see.

A line that is a message of the chat completion API (`role`, `content`, `tool_calls`, `tool_call_id`) is one in the history. That is the
format for programs that can choose.
"""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, parts, text_of
from cooperbench.agents.command_line.reports import (
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)

_KINDS = ("type", "kind", "event")


class JsonLinesFormat:
    """Reads messages, and keeps each other event as it comes. Its kind is its `type`, `kind` or `event`."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        content = text_of(event.get("content"))
        match event.get("role"):
            case "assistant":
                calls = tuple(map(_use, parts(event.get("tool_calls"))))
                yield ModelTurn(content, text_of(event.get("reasoning_content")), calls)
            case "tool":
                yield ToolOutput(text_of(event.get("tool_call_id")), content)
            case "user" | "system":
                yield GivenPrompt(content)
            case _:
                yield OtherEvent(next((text_of(event[name]) for name in _KINDS if name in event), "event"), event)


def _use(call: dict[str, Any]) -> ToolUse:
    function = mapping(call.get("function"))
    name = text_of(function.get("name"))
    return ToolUse(text_of(call.get("id")), name, arguments_of(function.get("arguments")))
