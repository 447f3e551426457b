"""`stream-json` of Gemini CLI. Source: `gemini --output-format stream-json`, version 0.61.0. Texts come in pieces."""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, text_of
from cooperbench.agents.command_line.reports import (
    FinalReport,
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)


class GeminiCliFormat:
    """Reads messages and tools, and joins the pieces of a text."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports, after the text that came before it."""
        if event.get("type") == "message" and event.get("role") == "assistant" and event.get("delta"):
            self._pieces.append(text_of(event.get("content")))
            return
        yield from self.finish()
        yield _other(event)

    def finish(self) -> Iterator[StreamEvent]:
        """Yield the text that was not followed by anything."""
        if self._pieces:
            said, self._pieces = "".join(self._pieces), []
            yield ModelTurn(text=said)


def _other(event: dict[str, Any]) -> StreamEvent:
    match event.get("type"):
        case "message" if event.get("role") == "assistant":
            return ModelTurn(text=text_of(event.get("content")))
        case "message":
            return GivenPrompt(text_of(event.get("content")))
        case "tool_use":
            identifier, name = text_of(event.get("tool_id")), text_of(event.get("tool_name"))
            return ModelTurn(calls=(ToolUse(identifier, name, arguments_of(event.get("parameters"))),))
        case "tool_result":
            failed = event.get("status") == "error"
            said = event.get("output") or mapping(event.get("error")).get("message")
            return ToolOutput(text_of(event.get("tool_id")), text_of(said), failed)
        case "result":
            said = mapping(event.get("error")).get("message") or event.get("status")
            return FinalReport(event.get("status") != "success", text_of(said), event)
        case kind:
            return OtherEvent(text_of(kind), event)
