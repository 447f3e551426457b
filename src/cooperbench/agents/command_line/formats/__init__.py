"""The formats of events that agents' programs write, one module each. The file of an agent names one in `events`."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from cooperbench.agents.command_line.formats.claude_code import ClaudeCodeFormat
from cooperbench.agents.command_line.formats.codex import CodexFormat
from cooperbench.agents.command_line.formats.copilot import CopilotFormat
from cooperbench.agents.command_line.formats.gemini_cli import GeminiCliFormat
from cooperbench.agents.command_line.formats.opencode import OpenCodeFormat
from cooperbench.agents.command_line.formats.openhands import OpenHandsFormat
from cooperbench.agents.command_line.formats.plain import JsonLinesFormat
from cooperbench.agents.command_line.reports import StreamEvent


class EventFormat(Protocol):
    """Reads the events of one program, in order. Never raises, whatever an event holds."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield what one event reports."""
        ...


FORMATS: dict[str, Callable[[], EventFormat]] = {
    "claude_code": ClaudeCodeFormat,
    "codex": CodexFormat,
    "copilot": CopilotFormat,
    "gemini_cli": GeminiCliFormat,
    "jsonl": JsonLinesFormat,
    "opencode": OpenCodeFormat,
    "openhands": OpenHandsFormat,
    "text": JsonLinesFormat,
}
"""By name. `text` is what people see: its lines are kept."""
