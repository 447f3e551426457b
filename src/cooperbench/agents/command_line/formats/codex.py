"""Events of `codex exec --json`: items that start and complete within turns. Source: version 0.169.0."""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, text_of, whole
from cooperbench.agents.command_line.reports import (
    FinalReport,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)

_NOT_ARGUMENTS = ("id", "type", "status", "aggregated_output", "exit_code", "result", "error")


class CodexFormat:
    """Reads items. A tool may be seen only when it has completed."""

    def __init__(self) -> None:
        self._started: set[str] = set()

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        item = mapping(event.get("item"))
        kind, identifier = text_of(item.get("type")), text_of(item.get("id"))
        match event.get("type"):
            case "item.completed" if kind == "agent_message":
                yield ModelTurn(text=text_of(item.get("text")))
            case "item.completed" if kind == "reasoning":
                yield ModelTurn(reasoning=text_of(item.get("text")))
            case "item.started" | "item.completed" if kind in ("", "error", "agent_message", "reasoning"):
                yield OtherEvent(f"{event['type']} {kind}".strip(), event)
            case "item.started":
                yield self._use(item, kind, identifier)
            case "item.completed":
                if identifier not in self._started:
                    yield self._use(item, kind, identifier)
                yield _output(item, identifier)
            case "turn.completed":
                yield FinalReport(False, "turn completed", event)
            case "turn.failed" | "error":
                said = mapping(event.get("error")).get("message") or event.get("message")
                yield FinalReport(True, text_of(said), event)
            case other:
                yield OtherEvent(text_of(other), event)

    def _use(self, item: dict[str, Any], kind: str, identifier: str) -> ModelTurn:
        self._started.add(identifier)
        if kind == "mcp_tool_call":
            name = f"mcp__{text_of(item.get('server'))}__{text_of(item.get('tool'))}"
            return ModelTurn(calls=(ToolUse(identifier, name, arguments_of(item.get("arguments"))),))
        arguments = {name: value for name, value in item.items() if name not in _NOT_ARGUMENTS}
        return ModelTurn(calls=(ToolUse(identifier, kind, arguments),))


def _output(item: dict[str, Any], identifier: str) -> ToolOutput:
    said = item.get("aggregated_output", item.get("result", item.get("error")))
    if "aggregated_output" not in item and isinstance(said, dict):  # of an MCP server
        said = said.get("content", said)
    failed = item.get("status") in ("failed", "declined") or bool(item.get("error"))
    return ToolOutput(identifier, text_of(said), failed, whole(item.get("exit_code")))
