"""The messages of teammates that a replayed member was prompted with: it gets as many again, at the same prompts.

Members of a replay are faster or slower than they were. Without this, a message that came before the end of a turn comes after the
end of the work, and the replay differs for no reason of the agent's.
"""

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import HARNESS, Message, ReceivedMessage
from cooperbench.errors import TeammateGoneError
from cooperbench.records.process_wide import ProcessWide

LONGEST_WAIT = 60.0
"""Seconds to wait for messages that came in the recording."""


class RecordedArrivals:
    """Hands out new messages prompt by prompt, as a recorded history has them."""

    def __init__(self, history: Iterable[dict[str, Any]], longest_wait: float = LONGEST_WAIT) -> None:
        senders = [(message.get("extra") or {}).get("senders") or () for message in history]
        self._prompts = [Counter(map(str, each)) for each in senders if each]
        self._longest_wait = longest_wait

    def receive(self, mailbox: MessagingConnector) -> list[ReceivedMessage]:
        """Return the messages for the next prompt. What is not there yet is waited for; what is too much stays unread."""
        expected = self._prompts.pop(0) if self._prompts else Counter[str]()
        del expected[HARNESS]  # its notices come by themselves
        taken = mailbox.take()
        until = time.monotonic() + self._longest_wait
        while expected - Counter(message.sender for message in taken) and (left := until - time.monotonic()) > 0:
            try:
                taken += mailbox.take(timeout=left, wait=True)
            except TeammateGoneError:
                break
        kept, rest = _divided(taken, expected)
        mailbox.release(rest)
        mailbox.acknowledge(kept)
        return [message.received() for message in kept]


def _divided(messages: list[Message], expected: Counter[str]) -> tuple[list[Message], list[Message]]:
    kept, rest, left = list[Message](), list[Message](), expected.copy()
    for message in messages:
        wanted = message.sender == HARNESS or left[message.sender] > 0
        (kept if wanted else rest).append(message)
        left[message.sender] -= 1
    return kept, rest


_active = ProcessWide[RecordedArrivals | None](None)


def current_arrivals() -> RecordedArrivals | None:
    """Return what the member of this process got in the run that it replays; `None` outside of a replay."""
    return _active.current()


def activate_arrivals(arrivals: RecordedArrivals) -> AbstractContextManager[RecordedArrivals | None]:
    """Make arrivals those of this process."""
    return _active.activate(arrivals)
