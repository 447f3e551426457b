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
from cooperbench.records import Event, Record, utc_now
from cooperbench.records.event_details import BoardChanged, GitMoved
from cooperbench.records.model_wait import ModelWait


class PendingEvent(NamedTuple):
    """An event that has no number yet."""

    time: datetime
    kind: str
    agent_id: str | None = None
    data: dict[str, Any] = {}
    started_at: datetime | None = None


class Timeline:
    """The events of one episode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[PendingEvent] = []
        self._lock = threading.Lock()

    def add(self, kind: str, details: Record, agent_id: str | None = None, *, since: datetime | None = None) -> None:
        """Note an event that happens now, or that began at `since` and ends now."""
        with self._lock:
            event = PendingEvent(utc_now(), kind, agent_id, plain(details), since)
            self._pending.append(event)
            with self._path.open("ab") as stream:
                stream.write(_line(len(self._pending) - 1, event))

    def merged(self, others: Iterable[PendingEvent]) -> bytes:
        """Return the content of the file with everything in the order of time."""
        with self._lock:
            merged = sorted([*self._pending, *others], key=lambda event: event.time)
        return b"".join(_line(number, event) for number, event in enumerate(merged))


def plain(details: Record) -> dict[str, Any]:
    """Return the data of an event as JSON values, without what is not known."""
    return details.model_dump(mode="json", exclude_none=True)


def _line(number: int, pending: PendingEvent) -> bytes:
    event = Event(sequence=number, **pending._asdict())
    assert event.details is not None, f"{event.kind} has no model"
    left_out = {"started_at"} if event.started_at is None else None
    # ASCII: what agents wrote may hold lone surrogates, which UTF-8 cannot.
    return json.dumps(event.model_dump(mode="json", exclude=left_out)).encode("ascii") + b"\n"


def of_broker(events: Iterable[Event]) -> Iterable[PendingEvent]:
    """Yield the broker's part: messages and notices."""
    for event in events:
        yield PendingEvent(event.time, event.kind, event.agent_id, event.data)


def of_board(events: Iterable[BoardEvent]) -> Iterable[PendingEvent]:
    """Yield the task board's part."""
    for event in events:
        data = BoardChanged(number=event.number, text=event.text, refused=event.refused)
        yield PendingEvent(event.time, f"task.{event.action}", event.agent_id, plain(data))


def of_git(events: Iterable[GitEvent]) -> Iterable[PendingEvent]:
    """Yield the git server's part."""
    for event in events:
        yield PendingEvent(event.time, f"git.{event.action}", event.agent_id, plain(GitMoved(refs=event.refs)))


def of_waits(agent_id: str, waits: Iterable[ModelWait]) -> Iterable[PendingEvent]:
    """Yield when and why a member waited for its model's provider."""
    for wait in waits:
        data = wait.model_dump(mode="json", exclude={"time"})
        yield PendingEvent(wait.until, "model.wait", agent_id, data, wait.time)
