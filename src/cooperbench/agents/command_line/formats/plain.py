"""Programs without a format of their own here: JSON lines, or the text that people see."""

from collections.abc import Iterator
from typing import Any

from cooperbench.agents.command_line.formats.values import text_of
from cooperbench.agents.command_line.reports import OtherEvent, StreamEvent

_KINDS = ("type", "kind", "event")


class JsonLinesFormat:
    """Keeps each event as it comes. Its kind is its `type`, `kind` or `event`."""

    def read(self, event: dict[str, Any]) -> Iterator[StreamEvent]:
        """Yield the event."""
        yield OtherEvent(next((text_of(event[name]) for name in _KINDS if name in event), "event"), event)
