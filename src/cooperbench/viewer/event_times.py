"""When a member's model answered and its tools returned, by the position of the message in the trajectory."""

from collections.abc import Sequence

from cooperbench.records import Event
from cooperbench.records.event_details import ModelCalled, ToolReturned


class EventTimes:
    """The events of one member by the position of their message in the trajectory; each one is taken once."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.models: dict[int, tuple[Event, ModelCalled]] = {}
        self.tools: dict[int, tuple[Event, ToolReturned]] = {}
        self.unplaced_models: list[tuple[Event, ModelCalled]] = []
        self.unplaced_tools: list[tuple[Event, ToolReturned]] = []
        for event in events:
            details = event.details
            if isinstance(details, ModelCalled):
                if details.index is None:
                    self.unplaced_models.append((event, details))
                else:
                    self.models[details.index] = event, details
            elif isinstance(details, ToolReturned):
                if details.index is None:
                    self.unplaced_tools.append((event, details))
                else:
                    self.tools[details.index] = event, details

    def model(self, index: int) -> tuple[Event, ModelCalled] | None:
        """Return the call of the model whose answer has this position; without positions, the next one in order."""
        if index not in self.models and not self.models and self.unplaced_models:
            return self.unplaced_models.pop(0)
        return self.models.pop(index, None)

    def tool(self, index: int) -> tuple[Event, ToolReturned] | None:
        """Return the result that has this position."""
        return self.tools.pop(index, None)
