"""The history of a member at work, written as it happens.

Each message is appended as one line with its UTC time, so that the history survives an agent that is killed, and a long one costs
no more than a short one (rewriting the whole file after each step cost a hundred times as much). The runner puts a journal in
force in the agent's process and reads it afterwards; an agent that keeps none has its `AgentResult.messages`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cooperbench.agents.call import plain_messages
from cooperbench.records import TrajectoryMessage, utc_now


class Journal:
    """Appends messages to a file; keeps nothing without one."""

    def __init__(self, path: Path | None) -> None:
        self._stream = path.open("ab", buffering=0) if path else None

    def add(self, message: dict[str, Any]) -> None:
        """Write down one message and the present time."""
        if self._stream is None:
            return
        [plain] = plain_messages("messages", [message])
        entry = TrajectoryMessage(time=utc_now(), message=plain)
        self._stream.write(entry.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the file. Twice is fine."""
        if self._stream is not None:
            self._stream.close()


_none = Journal(None)
_active: Journal | None = None


def current_journal() -> Journal:
    """The journal in force in this process; outside a run one that keeps nothing."""
    return _active or _none


@contextmanager
def activate_journal(journal: Journal) -> Iterator[Journal]:
    """Put a journal in force for this process, and close it at the end."""
    global _active
    before, _active = _active, journal
    try:
        yield journal
    finally:
        _active = before
        journal.close()
