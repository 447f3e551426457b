"""Events of `copilot --output-format json`. Source: GitHub Copilot CLI 1.0.102.

It marks what only matters while it is shown as `ephemeral`: pieces of texts, and 50 of the 76 lines of a session with two commands.
Those are left out; the raw stream in the member's logs has them.
"""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, parts, text_of, whole
from cooperbench.agents.command_line.reports import (
    FinalReport,
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)


class CopilotFormat:
    """Reads whole messages and finished tools."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        data = mapping(event.get("data"))
        if event.get("ephemeral"):
            return
        match event.get("type"):
            case "user.message":
                yield GivenPrompt(text_of(data.get("content")))
            case "assistant.message":
                yield ModelTurn(
                    text=text_of(data.get("content")),
                    reasoning=text_of(data.get("reasoningText")),
                    calls=tuple(map(_use, parts(data.get("toolRequests")))),
                )
            case "tool.execution_complete":
                yield _output(data)
            case "result":
                code = whole(event.get("exitCode"))
                yield FinalReport(code != 0, f"exit code {code}", event)
            case kind:
                yield OtherEvent(text_of(kind), event)


def _use(request: dict[str, Any]) -> ToolUse:
    name = text_of(request.get("name"))
    return ToolUse(text_of(request.get("toolCallId")), name, arguments_of(request.get("arguments")))


def _output(data: dict[str, Any]) -> ToolOutput:
    result, error = mapping(data.get("result")), mapping(data.get("error"))
    code = whole(mapping(data.get("shellExecution")).get("exitCode"))
    said = text_of(result.get("content") or error.get("message"))
    return ToolOutput(text_of(data.get("toolCallId")), said, data.get("success") is False, code)
