"""The updates of a session as the history and events that all agents have.

Texts come in pieces, and a tool's arguments may come after the tool: a turn is complete when a tool begins to work or the prompt ends.
"""

import re
from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import arguments_of, mapping, parts, text_of
from cooperbench.agents.command_line.reports import ModelTurn, OtherEvent, StreamEvent, ToolOutput, ToolUse

_NAME = re.compile(r"[\w.-]+")
_OVER = frozenset({"completed", "failed"})
_EXIT_CODES = ("exitCode", "exit_code", "exit")


class SessionUpdates:
    """Reads updates in order. Never raises, whatever they hold."""

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._others: list[dict[str, Any]] = []
        self._waiting: dict[str, dict[str, Any]] = {}
        """Tool calls of which only the beginning was told, by their ids."""
        self._begun: set[str] = set()

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one update reports."""
        match event.get("sessionUpdate"):
            case "agent_message_chunk" if "text" not in (content := mapping(event.get("content"))) and content:
                self._others.append(content)  # a picture, a sound or a link
            case "agent_message_chunk":
                self._text += text_of(mapping(event.get("content")).get("text"))
            case "agent_thought_chunk":
                self._reasoning += text_of(mapping(event.get("content")).get("text"))
            case "tool_call" | "tool_call_update":
                yield from self._tool(event)
            case "user_message_chunk":
                return
            case kind:
                yield from self.finish()
                yield OtherEvent(str(kind), event)

    def finish(self) -> Iterator[StreamEvent]:
        """Yield the turn that is not complete yet: the prompt has ended."""
        for identifier in list(self._waiting):
            yield self._turn(identifier)
        if self._text or self._reasoning or self._others:
            yield self._turn(None)

    def _tool(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        identifier, status = str(event.get("toolCallId")), event.get("status")
        known = {name: value for name, value in event.items() if value is not None}
        if identifier not in self._begun:
            before = self._waiting.get(identifier, {})
            # Titles begin as the tool's name, and become what it does.
            self._waiting[identifier] = {**before, **known, "title": before.get("title", known.get("title"))}
            if status in _OVER or (self._waiting[identifier].get("rawInput") and status != "pending"):
                yield self._turn(identifier)
        if status in _OVER:
            yield _output(identifier, event)

    def _turn(self, identifier: str | None) -> ModelTurn:
        calls: tuple[ToolUse, ...] = ()
        if identifier is not None:
            told = self._waiting.pop(identifier)
            self._begun.add(identifier)
            title, kind = str(told.get("title") or ""), told.get("kind")
            name = title if _NAME.fullmatch(title) or not kind else str(kind)
            calls = (ToolUse(identifier, name or "tool", arguments_of(told.get("rawInput"))),)
        turn = ModelTurn(self._text.strip(), self._reasoning.strip(), calls, others=tuple(self._others))
        self._text = self._reasoning = ""
        self._others = []
        return turn


def _output(identifier: str, event: dict[str, Any]) -> ToolOutput:
    shown = [_part(part) for part in parts(event.get("content"))]
    raw = event.get("rawOutput")
    text = "\n".join(part for part in shown if part) or text_of(
        mapping(raw).get("output", raw) if isinstance(raw, dict) else raw
    )
    codes = [mapping(raw).get(name, mapping(mapping(raw).get("metadata")).get(name)) for name in _EXIT_CODES]
    code = next((code for code in codes if isinstance(code, int) and not isinstance(code, bool)), None)
    return ToolOutput(identifier, text, failed=event.get("status") == "failed", exit_code=code)


def _part(part: dict[str, Any]) -> str:
    match part.get("type"):
        case "content":
            return text_of(mapping(part.get("content")).get("text"))
        case "diff":
            return f"changed {part.get('path')}"
        case _:
            return ""
