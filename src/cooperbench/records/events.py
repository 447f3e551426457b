"""`events.jsonl`: what happened in an episode, one line each, append-only."""

from typing import Any

from pydantic import Field

from cooperbench.records.base import Record, UtcTime


class Event(Record):
    """One thing that happened."""

    sequence: int = Field(ge=0, description="Order within the episode.")
    time: UtcTime
    kind: str = Field(
        description="Dotted name, e.g. `model.call`, `message.sent`, `git.push`, `limit.reached`, `test.finished`."
    )
    agent_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict, description="JSON values only.")
