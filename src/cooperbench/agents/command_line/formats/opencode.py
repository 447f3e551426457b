"""Events of `opencode run --format json`, which Kilo writes as well: the parts of each answer.

Source: opencode 1.18.33, kilo 7.7.9. A tool is reported once, when it is done.
"""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, seconds_between, text_of, whole
from cooperbench.agents.command_line.reports import (
    FinalReport,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)


class OpenCodeFormat:
    """Reads parts."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        part = mapping(event.get("part"))
        match event.get("type"):
            case "text" if part:
                yield ModelTurn(text=text_of(part.get("text")))
            case "reasoning" if part:
                yield ModelTurn(reasoning=text_of(part.get("text")))
            case "tool_use" if part:
                state, identifier = mapping(part.get("state")), text_of(part.get("callID"))
                name = text_of(part.get("tool"))
                yield ModelTurn(calls=(ToolUse(identifier, name, arguments_of(state.get("input"))),))
                yield _output(state, identifier)
            case "error":
                error = mapping(event.get("error"))
                said = mapping(error.get("data")).get("message") or error.get("name") or event.get("error")
                yield FinalReport(True, text_of(said), event)
            case other:
                yield OtherEvent(text_of(other), event)


def _output(state: dict[str, Any], identifier: str) -> ToolOutput:
    time, failed = mapping(state.get("time")), state.get("status") == "error"
    return ToolOutput(
        identifier,
        text_of(state.get("output") if not failed else state.get("error")),
        failed,
        whole(mapping(state.get("metadata")).get("exit")),
        seconds_between(time.get("start"), time.get("end")),
    )
