"""Write `events.jsonl`: the events of an episode, from several sources, in one order.

While an episode runs, the harness appends its own events. When it ends, those are joined by what the broker, the git server
and the agents' journals recorded, sorted by time and numbered, and written in one step.
"""

import json
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.collaboration.board import BoardEvent
from cooperbench.collaboration.git_service import GitEvent
from cooperbench.records import Event, TrajectoryMessage, utc_now
from cooperbench.records.model_wait import ModelWait


class PendingEvent(NamedTuple):
    """An event that has no number yet."""

    time: datetime
    kind: str
    agent_id: str | None = None
    data: dict[str, Any] = {}


class Timeline:
    """The events of one episode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[PendingEvent] = []
        self._lock = threading.Lock()

    def add(self, kind: str, agent_id: str | None = None, /, **data: Any) -> None:
        """Note an event that happens now. `data` may use any names: a failure has a `kind` too."""
        with self._lock:
            event = PendingEvent(utc_now(), kind, agent_id, data)
            self._pending.append(event)
            with self._path.open("ab") as stream:
                stream.write(_line(len(self._pending) - 1, event))

    def merged(self, others: Iterable[PendingEvent]) -> bytes:
        """Return the content of the file with everything in the order of time."""
        with self._lock:
            merged = sorted([*self._pending, *others], key=lambda event: event.time)
        return b"".join(_line(number, event) for number, event in enumerate(merged))


def _line(number: int, pending: PendingEvent) -> bytes:
    event = Event(sequence=number, **pending._asdict())
    # ASCII: what agents wrote may hold lone surrogates, which UTF-8 cannot.
    return json.dumps(event.model_dump(mode="json")).encode("ascii") + b"\n"


def of_broker(events: Iterable[Event]) -> Iterable[PendingEvent]:
    """Yield the broker's part: messages and notices."""
    for event in events:
        yield PendingEvent(event.time, event.kind, event.agent_id, event.data)


def of_board(events: Iterable[BoardEvent]) -> Iterable[PendingEvent]:
    """Yield the task board's part."""
    for event in events:
        data = event.model_dump(mode="json", include={"number", "text", "refused"}, exclude_none=True)
        yield PendingEvent(event.time, f"task.{event.action}", event.agent_id, data)


def of_git(events: Iterable[GitEvent]) -> Iterable[PendingEvent]:
    """Yield the git server's part."""
    for event in events:
        refs = [ref.model_dump(mode="json", exclude_none=True) for ref in event.refs]
        yield PendingEvent(event.time, f"git.{event.action}", event.agent_id, {"refs": refs})


def of_waits(agent_id: str, waits: Iterable[ModelWait]) -> Iterable[PendingEvent]:
    """Yield when and why a member waited for its model's provider."""
    for wait in waits:
        yield PendingEvent(wait.time, "model.wait", agent_id, wait.model_dump(mode="json", exclude={"time"}))


def of_journal(agent_id: str, messages: Iterable[TrajectoryMessage]) -> Iterable[PendingEvent]:
    """Yield an agent's part: when its history grew, and by which role. The text is in the trajectory."""
    for number, entry in enumerate(messages):
        if entry.time is None:
            continue
        role = str(entry.message.get("role", ""))
        kind = {"assistant": "model.call", "tool": "tool.result"}.get(role, "agent.message")
        yield PendingEvent(entry.time, kind, agent_id, {"role": role, "index": number})
