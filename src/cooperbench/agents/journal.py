"""The history of a running member, written as it happens.

Each message is appended as a line with its UTC time. So the history survives when the agent is killed, and the cost of a message
does not grow with the history (rewriting the file after each step cost a hundred times as much). The runner activates a journal in
the agent's process and reads it afterwards; for an agent that writes none it uses `AgentResult.messages`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from cooperbench.agents.call import plain_messages
from cooperbench.records import TrajectoryMessage, utc_now
from cooperbench.records.paths import AnyPath
from cooperbench.records.process_wide import ProcessWide
from cooperbench.records.trajectory import read_journal


class Journal:
    """Appends messages to a file; without a file it discards them."""

    def __init__(self, path: AnyPath | None) -> None:
        self._path = Path(path) if path else None
        self._stream = Path(path).open("ab", buffering=0) if path else None  # noqa: SIM115 - open as long as the agent works

    def add(self, message: dict[str, Any]) -> None:
        """Append a message with the present time."""
        if self._stream is None:
            return
        [plain] = plain_messages("messages", [message])
        entry = TrajectoryMessage(time=utc_now(), message=plain)
        self._stream.write(entry.model_dump_json().encode() + b"\n")

    def read(self) -> list[dict[str, Any]]:
        """Return the messages written so far; none without a file."""
        return [] if self._path is None else [entry.message for entry in read_journal(self._path)]

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._stream is not None:
            self._stream.close()


_active = ProcessWide(Journal(None))
_calls = ProcessWide(Journal(None))


def current_journal() -> Journal:
    """Return the active journal of this process; outside a run it discards messages."""
    return _active.current()


def current_call_journal() -> Journal:
    """Return the journal for what model calls say, which stands in for a history that the agent does not keep."""
    return _calls.current()


def activate_call_journal(journal: Journal) -> AbstractContextManager[Journal]:
    """Make a journal the one for model calls of this process."""
    return _calls.activate(journal)


@contextmanager
def activate_journal(journal: Journal) -> Iterator[Journal]:
    """Make a journal the active one of this process, and close it at the end."""
    with closing(journal), _active.activate(journal):
        yield journal
