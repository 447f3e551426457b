"""What a member's worker notes while its agent works, for the events of the episode: one JSON value a line.

The harness notes it, so it is there for every agent, also for one that reports only at its end.
"""

import threading
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import Record, UtcTime
from cooperbench.records.episode import Usage
from cooperbench.records.files import read_file
from cooperbench.records.process_wide import ProcessWide

LONGEST_COMMAND = 500
"""Characters of a command that are kept here; the trajectory has all of it."""


class ModelSpan(Record):
    """A call of a model, from the request to the whole answer, retries included."""

    what: Literal["model"] = "model"
    started_at: UtcTime | None
    first_token_at: UtcTime | None = None
    ended_at: UtcTime
    usage: Usage


class CommandSpan(Record):
    """A command in the member's sandbox."""

    what: Literal["command"] = "command"
    started_at: UtcTime
    ended_at: UtcTime
    command: str
    exit_code: int
    timed_out: bool
    changed: tuple[str, ...] | None = None
    """Files of the work tree that changed; `None` when nobody looked."""


class WaitSpan(Record):
    """A wait for a message."""

    what: Literal["wait"] = "wait"
    started_at: UtcTime
    ended_at: UtcTime
    sender: str | None
    """The teammate it waited for; `None` for anybody."""
    timeout: float | None
    ended_by: Literal["message", "timeout", "teammate_gone", "interrupted"]


Span = ModelSpan | CommandSpan | WaitSpan
_SPAN: TypeAdapter[Span] = TypeAdapter(Annotated[Span, Field(discriminator="what")])


class ActivityLog:
    """Appends spans to a file; without a file it drops them. Safe to use from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, span: Span) -> None:
        """Append a span."""
        if self._path is None:
            return
        line = span.model_dump_json().encode() + b"\n"
        # The agent may have damaged the folder, and its work goes on all the same.
        with self._lock, suppress(OSError), self._path.open("ab", buffering=0) as stream:
            stream.write(line)


_active = ProcessWide(ActivityLog())


def current_activity() -> ActivityLog:
    """Return the active log of this process; outside a run it drops everything."""
    return _active.current()


def activate_activity(log: ActivityLog) -> AbstractContextManager[ActivityLog]:
    """Make a log the active one of this process."""
    return _active.activate(log)


def read_activity(path: Path) -> tuple[Span, ...]:
    """Read what was noted so far, leaving out a last line that a kill cut off."""
    spans: list[Span] = []
    try:
        lines = read_file(path).splitlines()
    except (FileNotFoundError, RecordError):
        return ()
    for line in lines:
        try:
            spans.append(_SPAN.validate_json(line))
        except ValidationError:
            continue
    return tuple(spans)
