"""The messages that a member read in the run that it replays: it reads them again after as many answers of its model, and no others.

Members of a replay are faster or slower than they were. Without this, a message that kept a program from ending finds it gone, one that came
too late keeps it going without an answer, and the replay differs for no reason of the agent's.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

from cooperbench.collaboration._inbox import Inbox
from cooperbench.collaboration.message import HARNESS, Message
from cooperbench.errors import TeammateGoneError
from cooperbench.records.process_wide import ProcessWide

LONGEST_WAIT = 45.0
"""Seconds to wait for messages that were read in the recording: less than a program gives its hooks (Claude Code: 60)."""
_LOOK = 1.0
"""Seconds after which a reader looks whether another one got the message."""


class RecordedRead(NamedTuple):
    """A message that was read: who wrote it, and how many answers the model had given by then."""

    sender: str
    answers: int


class RecordedArrivals:
    """Says what may be read now. `answers` returns how many answers the model has given. Safe to use from several threads."""

    def __init__(
        self, reads: Iterable[RecordedRead], answers: Callable[[], int], longest_wait: float = LONGEST_WAIT
    ) -> None:
        self._left = list(reads)
        self._answers = answers
        self._longest_wait = longest_wait
        self._lock = threading.Lock()

    def due(self, from_: str | None) -> Counter[str]:
        """Count the messages that were read by now and were not read again, by sender."""
        with self._lock:
            now = self._answers()
            return Counter(each.sender for each in self._left if each.answers <= now and from_ in {None, each.sender})

    def take(self, inbox: Inbox, from_: str | None, stop: threading.Event | None) -> list[Message]:
        """Take what is due. What is not there yet is waited for; what is too much stays unread."""
        taken = inbox.take(from_)
        until = time.monotonic() + self._longest_wait
        while self.due(from_) - Counter(message.sender for message in taken):
            left = until - time.monotonic()
            if left <= 0 or (stop is not None and stop.is_set()):
                break
            try:
                taken += inbox.wait(from_, min(left, _LOOK), stop=stop)
            except TeammateGoneError:
                break
        kept, rest = _divided(taken, self.due(from_))
        inbox.release(rest)
        self.note(kept)
        return kept

    def note(self, messages: Iterable[Message]) -> None:
        """Note what was read."""
        with self._lock:
            for message in messages:
                if (found := next((each for each in self._left if each.sender == message.sender), None)) is not None:
                    self._left.remove(found)


def _divided(messages: list[Message], due: Counter[str]) -> tuple[list[Message], list[Message]]:
    """Divide messages into those to read, notices of the harness among them, and those to leave."""
    kept, rest, left = list[Message](), list[Message](), due.copy()
    for message in messages:
        wanted = message.sender == HARNESS or left[message.sender] > 0
        (kept if wanted else rest).append(message)
        left[message.sender] -= 1
    return kept, rest


_active = ProcessWide[RecordedArrivals | None](None)


def current_arrivals() -> RecordedArrivals | None:
    """Return what the member of this process read in the run that it replays; `None` outside of a replay."""
    return _active.current()


def activate_arrivals(arrivals: RecordedArrivals | None) -> AbstractContextManager[RecordedArrivals | None]:
    """Make arrivals those of this process."""
    return _active.activate(arrivals)
