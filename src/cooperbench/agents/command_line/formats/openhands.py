"""Events of `openhands --headless --json`, which stand between lines for people. Source: OpenHands CLI 1.16.0."""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, text_of, whole
from cooperbench.agents.command_line.reports import (
    FinalReport,
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)


class OpenHandsFormat:
    """Reads messages, actions and observations."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        said = mapping(event.get("llm_message"))
        match event.get("kind"):
            case "MessageEvent" if event.get("source") == "agent":
                yield ModelTurn(text_of(said.get("content")), text_of(said.get("reasoning_content")))
            case "MessageEvent":
                yield GivenPrompt(text_of(said.get("content")))
            case "ActionEvent":
                yield _turn(event)
            case "ObservationEvent":
                yield _output(event)
            case "AgentErrorEvent" if event.get("tool_call_id"):
                yield ToolOutput(text_of(event["tool_call_id"]), text_of(event.get("error")), failed=True)
            case "ConversationErrorEvent" | "AgentErrorEvent":
                yield FinalReport(True, text_of(event.get("detail") or event.get("error") or event.get("code")), event)
            case kind:
                yield OtherEvent(text_of(kind), event)


def _turn(event: dict[str, Any]) -> ModelTurn:
    call = mapping(event.get("tool_call"))
    name = text_of(event.get("tool_name") or call.get("name"))
    use = ToolUse(text_of(event.get("tool_call_id")), name, arguments_of(call.get("arguments")))
    return ModelTurn(text_of(event.get("thought") or None), text_of(event.get("reasoning_content")), (use,))


def _output(event: dict[str, Any]) -> ToolOutput:
    seen = mapping(event.get("observation"))
    failed, code = bool(seen.get("is_error")), whole(seen.get("exit_code"))
    return ToolOutput(text_of(event.get("tool_call_id")), text_of(seen.get("content") or None), failed, code)
