import threading
import time
from collections.abc import Callable

import pytest

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.presence import Presence, mark_finished, mark_working
from cooperbench.errors import MessageRefusedError, TeammateGoneError, UnknownNameError, UsageError
from cooperbench.records import Ending

Open = Callable[..., list[MessagingConnector]]


def test_the_documented_example_works(broker: Broker) -> None:
    urls = broker.open_episode("documented", ["agent1", "agent2"])
    agents = ["agent1", "agent2"]
    comm = MessagingConnector(agent_id="agent1", agents=agents, url=urls["agent1"])
    comm.send(to_agent="agent2", message="I'm working on the API layer")
    other = MessagingConnector(agent_id="agent2", agents=agents, url=urls["agent2"])
    assert [(msg["from"], msg["text"]) for msg in other.receive()] == [("agent1", "I'm working on the API layer")]
    assert other.receive() == []
    comm.close()
    other.close()


def test_messages_of_several_senders_come_in_the_order_of_the_broker(open_mailboxes: Open) -> None:
    one, two, three = open_mailboxes("one", "two", "three")
    one.send("three", "a")
    two.send("three", "b")
    one.send("three", "c")
    two.broadcast("d")
    got = three.receive()
    assert [(message["from"], message["text"]) for message in got] == [
        ("one", "a"),
        ("two", "b"),
        ("one", "c"),
        ("two", "d"),
    ]
    assert [message["sequence"] for message in got] == sorted(message["sequence"] for message in got)
    assert [message["text"] for message in one.receive()] == ["d"]


def test_peek_leaves_messages_unread(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    one.send("two", "still here")
    assert two.peek() == two.peek() != []
    assert [message["text"] for message in two.receive()] == ["still here"]
    assert two.peek() == []


@pytest.mark.parametrize(
    ("to", "text", "reason"),
    [
        ("agent3", "hello", "there is no teammate 'agent3'; you can write to: two"),
        ("two", "x" * (1024 * 1024 + 1), "1048577 bytes, more than 1048576"),
    ],
    ids=["to nobody", "too long"],
)
def test_what_cannot_be_delivered_is_refused_with_the_reason(
    open_mailboxes: Open, to: str, text: str, reason: str
) -> None:
    one, two = open_mailboxes("one", "two")
    with pytest.raises(MessageRefusedError, match=reason):
        one.send(to, text)
    assert two.receive() == []


def test_a_message_to_oneself_is_refused_without_an_exception(open_mailboxes: Open) -> None:
    """The documented snippet, run by every member, writes to agent2 in agent2 too."""
    one, two = open_mailboxes("agent1", "agent2")
    for member in (one, two):
        receipt = member.send(to_agent="agent2", message="I'm working on the API layer")
        for message in member.receive():
            assert message["from"] == "agent1"
    assert receipt.refused == "'agent2' is yourself; you can write to: agent1"
    with pytest.raises(MessageRefusedError, match="yourself"):
        two.ask("agent2", "are you there?")


def test_a_message_of_exactly_the_limit_arrives(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    one.send("two", "ü" * (512 * 1024))
    assert two.receive()[0]["text"] == "ü" * (512 * 1024)


def test_an_ended_teammate_is_announced_once_and_refuses_messages(
    broker: Broker, open_mailboxes: Open, request: pytest.FixtureRequest
) -> None:
    one, _, three = open_mailboxes("one", "two", "three")
    url = broker.episode_url(request.node.name)
    mark_working(url, "two", doing="feature 2")
    assert mark_finished(url, "two", Ending.CRASH, "branch two of origin, 3 commits")
    assert not mark_finished(url, "two", Ending.SUBMITTED)
    notices = one.receive()
    assert [(notice["from"], notice["text"]) for notice in notices] == [
        ("harness", "two crashed; its work is on branch two of origin, 3 commits")
    ]
    assert len(three.receive()) == 1
    assert one.receive() == []
    with pytest.raises(TeammateGoneError, match="two crashed; its work is on branch two of origin"):
        one.send("two", "are you there?")
    with pytest.raises(TeammateGoneError, match="two crashed"):
        one.wait("two")
    assert [teammate.presence for teammate in one.team()] == [Presence.FINISHED, Presence.EXPECTED]
    mark_finished(url, "three", Ending.SUBMITTED)
    assert [notice["text"] for notice in one.wait()] == ["three has finished"]
    with pytest.raises(TeammateGoneError, match=r"two crashed; .*three has finished"):
        one.wait()


def test_waiting_for_one_teammate_leaves_the_others_messages(open_mailboxes: Open) -> None:
    one, two, three = open_mailboxes("one", "two", "three")
    two.send("one", "from two")
    assert one.wait("three", timeout=0.05) == []
    three.send("one", "from three")
    assert [message["text"] for message in one.wait("three", timeout=60)] == ["from three"]
    assert [message["text"] for message in one.receive()] == ["from two"]


def test_a_blocked_reader_is_shown_and_woken(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(message["text"] for message in one.wait("two", timeout=60)))
    reader.start()
    while two.team()[0].waiting_for is None:
        time.sleep(0.005)
    assert two.team()[0].waiting_for == "two"
    assert "waiting for YOU" in two.team()[0].sentence("two")
    two.send("one", "wake up")
    reader.join(timeout=60)
    assert got == ["wake up"]
    assert two.team()[0].waiting_for is None


def test_a_waiting_reader_is_told_when_the_teammate_ends(
    broker: Broker, open_mailboxes: Open, request: pytest.FixtureRequest
) -> None:
    one, two = open_mailboxes("one", "two")
    outcome: list[str] = []

    def wait() -> None:
        try:
            one.ask("two", "will you ever answer?")
        except TeammateGoneError as error:
            outcome.append(error.message)

    reader = threading.Thread(target=wait)
    reader.start()
    assert two.wait(timeout=60)[0]["question"]
    while two.team()[0].waiting_for is None:
        time.sleep(0.005)
    mark_finished(broker.episode_url(request.node.name), "two", Ending.TIMEOUT)
    reader.join(timeout=60)
    assert outcome == ["no message will come: two ran out of time and was stopped"]


def test_an_answer_is_the_first_message_after_the_question_was_read(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    two.send("one", "unrelated, sent before")
    question = one.send_question("two", "which name?")
    two.send("one", "sent before the question was read")
    assert one.take_answer("two", question.id, timeout=0.05) == []
    assert two.receive()[0]["question"]
    two.send("one", "parse_number")
    two.send("one", "and another thing")
    answer = one.take_answer("two", question.id, timeout=60)
    assert [(message.text, message.reply_to) for message in answer] == [("parse_number", question.id)]
    one.acknowledge(answer)
    assert one.take_answer("two", question.id, timeout=0.05) == []
    assert [message["text"] for message in one.receive()] == [
        "unrelated, sent before",
        "sent before the question was read",
        "and another thing",
    ]


def test_released_messages_come_again_and_acknowledged_ones_do_not(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    for text in ("a", "b", "c"):
        one.send("two", text)
    taken = two.take()
    assert [message.text for message in taken] == ["a", "b", "c"]
    assert two.take() == []
    two.acknowledge(taken[1:2])
    two.release([taken[2], taken[0]])
    one.send("two", "d")
    assert [message.text for message in two.take()] == ["a", "c", "d"]


def test_two_connectors_of_one_member_share_its_messages(broker: Broker) -> None:
    agents = ["one", "two"]
    urls = broker.open_episode("shared inbox", agents)
    with (
        MessagingConnector("one", agents, urls["one"]) as one,
        MessagingConnector("two", agents, urls["two"]) as first,
        MessagingConnector("two", agents, urls["two"]) as second,
    ):
        one.send("two", "a")
        assert len(first.receive()) == 1
        assert second.receive() == []
        one.send("two", "b")
        assert [message["text"] for message in second.receive()] == ["b"]
        assert first.receive() == []


def test_bytes_of_any_kind_travel_unchanged(open_mailboxes: Open) -> None:
    one, two = open_mailboxes("one", "two")
    data = bytes(range(256)) + "'\"\\\n🙂".encode()
    one.send("two", data)
    (message,) = two.take()
    assert message.data == data
    assert "\ufffd" in message.text


def test_wrong_names_and_addresses_are_told_at_once(broker: Broker) -> None:
    with pytest.raises(UnknownNameError, match="unknown member 'agent'"):
        MessagingConnector("agent", ["agent1", "agent2"], f"{broker.url}#run:x")
    with pytest.raises(UsageError, match="names no episode") as error:
        MessagingConnector("agent1", ["agent1", "agent2"], broker.url)
    assert "harness:" not in str(error.value)
    with pytest.raises(UsageError, match="is not a Redis address"):
        MessagingConnector("agent1", ["agent1", "agent2"], "http://localhost#run:x")
