import threading
from collections.abc import Callable

import pytest

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.conversation import LOST, read_conversation, read_events
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import Fate
from cooperbench.collaboration.presence import mark_finished
from cooperbench.errors import MailboxError
from cooperbench.records import Ending

Open = Callable[..., list[MessagingConnector]]
FEATURES = {"one": 1, "two": 7, "three": 3}


def test_the_conversation_is_what_the_broker_saw(
    broker: Broker, open_mailboxes: Open, request: pytest.FixtureRequest
) -> None:
    one, two, three = open_mailboxes("one", "two", "three")
    url = broker.episode_url(request.node.name)
    question = one.send_question("two", "which name?")
    three.send("one", "never read")
    two.receive()
    answer = two.send("one", b"parse\xff")
    with pytest.raises(MailboxError):
        one.send("bob", "who are you?")
    mark_finished(url, "three", Ending.SUBMITTED)
    with pytest.raises(MailboxError):
        one.send("three", "too late")

    said = read_conversation(url, FEATURES)
    assert [(m.sender, m.to, m.message, m.feature_id) for m in said] == [
        ("one", "two", "which name?", 1),
        ("three", "one", "never read", 3),
        ("two", "one", "parse\ufffd", 7),
        ("one", "bob", "who are you?", 1),
        ("one", "three", "too late", 1),
    ]
    assert [m.delivered for m in said] == [True, True, True, False, False]
    assert [m.refused for m in said][3:] == [
        "there is no teammate 'bob'; you can write to: two, three",
        "three has finished",
    ]
    assert [m.sequence for m in said] == sorted({m.sequence for m in said})
    assert [m.timestamp for m in said] == sorted(m.timestamp for m in said)
    assert said[0].read_at is not None
    assert said[0].read_at >= said[0].timestamp
    assert said[1].read_at is None
    assert (said[2].reply_to, said[2].id) == (question.id, answer.id)
    assert said[0].model_dump(mode="json")["from"] == "one"

    kinds = [event.kind for event in read_events(url, list(FEATURES))]
    assert kinds.count("message.sent") == 5
    assert kinds.count("message.delivered") == 3
    assert kinds.count("message.refused") == 2
    assert kinds.count("message.read") == 1
    assert kinds.count("notice.sent") == 2


class LoseEverySecond:
    def __init__(self) -> None:
        self.seen = 0

    def fate(self, sender: str, to: str, data: bytes) -> Fate:
        self.seen += 1
        return Fate.LOSE if self.seen % 2 == 0 else Fate.DELIVER


def test_a_policy_on_the_channel_can_lose_messages_and_the_record_says_so(broker: Broker) -> None:
    agents = ["one", "two"]
    urls = broker.open_episode("lossy", agents)
    with (
        MessagingConnector("one", agents, urls["one"], policy=LoseEverySecond()) as one,
        MessagingConnector("two", agents, urls["two"]) as two,
    ):
        receipts = [one.send("two", f"{number}") for number in range(4)]
        assert all(receipt.refused is None for receipt in receipts)
        assert [message["text"] for message in two.receive()] == ["0", "2"]
    said = read_conversation(broker.episode_url("lossy"), {"one": 1, "two": 2})
    assert [(m.message, m.delivered, m.refused) for m in said] == [
        ("0", True, None),
        ("1", False, LOST),
        ("2", True, None),
        ("3", False, LOST),
    ]


def test_long_conversations_are_read_in_whole_while_they_go_on(
    broker: Broker, open_mailboxes: Open, request: pytest.FixtureRequest
) -> None:
    one, two = open_mailboxes("one", "two")
    url = broker.episode_url(request.node.name)
    writers = [
        threading.Thread(target=lambda a=a, b=b: [a.send(b, f"{number}") for number in range(300)])
        for a, b in ((one, "two"), (two, "one"))
    ]
    for writer in writers:
        writer.start()
    early = read_conversation(url, FEATURES)
    for writer in writers:
        writer.join()
    said = read_conversation(url, FEATURES)
    assert [m.sequence for m in said] == list(range(1, 601))
    assert [m.id for m in early] == [m.id for m in said][: len(early)]
