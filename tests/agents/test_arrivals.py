"""A replayed member reads the messages that it read, after as many answers of its model, whoever is faster now."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cooperbench.collaboration.arrivals import RecordedArrivals, RecordedRead, activate_arrivals
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message_commands import message_service
from cooperbench.collaboration.rpc import Call

READS = (RecordedRead("agent2", 1), RecordedRead("agent2", 3))


@contextmanager
def pair(addresses: dict[str, str]) -> Iterator[list[MessagingConnector]]:
    team = list(addresses)
    with (
        MessagingConnector("agent1", team, addresses["agent1"]) as reader,
        MessagingConnector("agent2", team, addresses["agent2"]) as writer,
    ):
        yield [reader, writer]


@pytest.mark.parametrize("command", ["hook", "recv"])
def test_what_is_late_is_waited_for_and_what_is_too_much_stays(command: str, mailboxes: dict[str, str]) -> None:
    answers = 0
    with pair(mailboxes) as (reader, writer), activate_arrivals(RecordedArrivals(READS, lambda: answers)):

        def write_late() -> None:
            until = time.monotonic() + 120
            while writer.team()[0].waiting_for is None and time.monotonic() < until:
                time.sleep(0.01)
            for text in ("one", "two", "three"):
                writer.send("agent1", text)

        def read() -> str:
            reply = message_service(reader, 60).handlers[command](Call(["Stop"] if command == "hook" else []))
            reply.received()
            return reply.stdout.decode().removeprefix("no new messages\n")

        assert read() == ""
        late = threading.Thread(target=write_late)
        late.start()
        answers = 1
        assert "one" in (said := read())
        assert "two" not in said
        late.join()
        assert read() == ""
        answers = 4
        assert "two" in read()
        assert [message["text"] for message in reader.peek()] == ["three"]


def test_what_was_waited_for_does_not_come_again(mailboxes: dict[str, str]) -> None:
    answers = 0
    with pair(mailboxes) as (reader, writer), activate_arrivals(RecordedArrivals(READS[:1], lambda: answers)):
        writer.send("agent1", "one")
        assert [message["text"] for message in reader.wait("agent2", timeout=60)] == ["one"]
        answers = 1
        assert reader.receive() == []


def test_a_message_that_does_not_come_ends_no_replay(mailboxes: dict[str, str]) -> None:
    with pair(mailboxes) as (reader, _), activate_arrivals(RecordedArrivals(READS, lambda: 1, longest_wait=0.1)):
        assert reader.receive() == []
