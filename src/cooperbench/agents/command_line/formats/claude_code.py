"""`stream-json` of Claude Code, which Qwen Code writes as well: whole messages of the Anthropic API, one a line.

Source: `claude -p --output-format stream-json --verbose`, version 2.1.330; `qwen --output-format stream-json`, version 0.24.4.
"""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, parts, text_of
from cooperbench.agents.command_line.reports import (
    FinalReport,
    GivenPrompt,
    ModelTurn,
    OtherEvent,
    StreamEvent,
    ToolOutput,
    ToolUse,
)

_KNOWN = ("text", "thinking", "tool_use")
"""Kinds of blocks in an answer."""


class ClaudeCodeFormat:
    """Reads `stream-json`."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        message = mapping(event.get("message"))
        content, subagent = message.get("content"), text_of(event.get("parent_tool_use_id"))
        match event.get("type"):
            case "assistant" if message:
                yield _turn(content)._replace(subagent=subagent)
            case "user" if isinstance(content, str):
                yield GivenPrompt(content, subagent)
            case "user" if parts(content):
                for block in parts(content):
                    yield _given(block, subagent)
            case "result":
                said = text_of(event.get("result") or event.get("error") or event.get("subtype"))
                yield FinalReport(bool(event.get("is_error")), said, event)
            case kind:
                yield OtherEvent(f"{text_of(kind)} {text_of(event.get('subtype'))}".strip(), event)


def _turn(content: object) -> ModelTurn:
    blocks = parts(content) or [{"type": "text", "text": text_of(content)}]
    return ModelTurn(
        text="\n".join(text_of(block.get("text")) for block in blocks if block.get("type") == "text"),
        reasoning="\n".join(text_of(block.get("thinking")) for block in blocks if block.get("type") == "thinking"),
        calls=tuple(
            ToolUse(text_of(block.get("id")), text_of(block.get("name")), arguments_of(block.get("input")))
            for block in blocks
            if block.get("type") == "tool_use"
        ),
        others=tuple(block for block in blocks if block.get("type") not in _KNOWN),
    )


def _given(block: dict[str, Any], subagent: str) -> StreamEvent:
    if block.get("type") == "tool_result":
        failed = bool(block.get("is_error"))
        return ToolOutput(text_of(block.get("tool_use_id")), text_of(block.get("content")), failed)
    return GivenPrompt(text_of(block.get("text", block)), subagent)
