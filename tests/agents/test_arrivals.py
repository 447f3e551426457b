"""A replayed member is prompted with the messages that it was prompted with, whoever is faster now."""

import threading
import time
from typing import Any

from cooperbench.agents.replay.arrivals import RecordedArrivals
from cooperbench.collaboration.mailbox import MessagingConnector

HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "the task"},
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": "...", "extra": {"senders": ["agent2", "harness"]}},
    {"role": "user", "content": "...", "extra": {"senders": ["agent2"]}},
]


def test_what_is_late_is_waited_for_and_what_is_too_much_stays(mailboxes: dict[str, str]) -> None:
    team = list(mailboxes)
    with (
        MessagingConnector("agent1", team, mailboxes["agent1"]) as reader,
        MessagingConnector("agent2", team, mailboxes["agent2"]) as writer,
    ):

        def write_late() -> None:
            until = time.monotonic() + 30
            while writer.team()[0].waiting_for is None and time.monotonic() < until:
                time.sleep(0.01)
            for text in ("one", "two", "three"):
                writer.send("agent1", text)

        late = threading.Thread(target=write_late)
        late.start()
        arrivals = RecordedArrivals(HISTORY)
        assert [message["text"] for message in arrivals.receive(reader)] == ["one"]
        late.join()
        assert [message["text"] for message in arrivals.receive(reader)] == ["two"]
        assert arrivals.receive(reader) == []
        assert [message["text"] for message in reader.receive()] == ["three"]


def test_a_message_that_does_not_come_ends_no_replay(mailboxes: dict[str, str]) -> None:
    with MessagingConnector("agent1", list(mailboxes), mailboxes["agent1"]) as reader:
        assert RecordedArrivals(HISTORY, longest_wait=0.1).receive(reader) == []
