"""Any sequence of sends, reads, give-backs, restarts and endings, compared with a model of a few lines."""

from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.conversation import read_conversation
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.presence import farewell, mark_finished
from cooperbench.errors import MessageRefusedError, TeammateGoneError
from cooperbench.records import Ending

AGENTS = ["a", "b", "c"]
EPISODES = ["first", "second"]
_numbers = count()

agents = st.sampled_from(AGENTS)
episodes = st.sampled_from(EPISODES)
texts = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.sampled_from([b"", b"'\"`$(x)\\\n\r\t\0", "🙂".encode(), b"\xff\xfe", b"x" * 100_000]),
)


class Mailboxes(RuleBasedStateMachine):
    broker: Broker

    @initialize()
    def open(self) -> None:
        number = next(_numbers)
        self.names = {episode: f"{episode} {number}" for episode in EPISODES}
        self.urls = {episode: self.broker.open_episode(self.names[episode], AGENTS) for episode in EPISODES}
        self.connectors: dict[tuple[str, str], MessagingConnector] = {}
        self.unread: dict[tuple[str, str], list[tuple[str, bytes]]] = {(e, a): [] for e in EPISODES for a in AGENTS}
        self.sent: dict[str, int] = dict.fromkeys(EPISODES, 0)
        self.gone: set[tuple[str, str]] = set()

    def mailbox(self, episode: str, agent: str) -> MessagingConnector:
        key = (episode, agent)
        if key not in self.connectors:
            self.connectors[key] = MessagingConnector(agent, AGENTS, self.urls[episode][agent])
        return self.connectors[key]

    @rule(episode=episodes, sender=agents, to=st.sampled_from([*AGENTS, "nobody"]), text=texts)
    def send(self, episode: str, sender: str, to: str, text: bytes) -> None:
        self.sent[episode] += 1
        if to == sender:
            assert self.mailbox(episode, sender).send(to, text).refused
        elif to not in AGENTS:
            with pytest.raises(MessageRefusedError):
                self.mailbox(episode, sender).send(to, text)
        elif (episode, to) in self.gone:
            with pytest.raises(TeammateGoneError):
                self.mailbox(episode, sender).send(to, text)
        else:
            self.mailbox(episode, sender).send(to, text)
            self.unread[episode, to].append((sender, text))

    @rule(episode=episodes, agent=agents)
    def receive(self, episode: str, agent: str) -> None:
        got = self.mailbox(episode, agent).receive()
        expected = [(sender, text.decode(errors="replace")) for sender, text in self.unread[episode, agent]]
        assert [(message["from"], message["text"]) for message in got] == expected
        self.unread[episode, agent] = []

    @rule(episode=episodes, agent=agents, keep=st.integers(0, 3))
    def take_and_give_back(self, episode: str, agent: str, keep: int) -> None:
        mailbox = self.mailbox(episode, agent)
        taken = mailbox.take()
        assert [(message.sender, message.data) for message in taken] == self.unread[episode, agent]
        mailbox.acknowledge(taken[:keep])
        mailbox.release(taken[keep:])
        self.unread[episode, agent] = self.unread[episode, agent][keep:]

    @rule(episode=episodes, agent=agents, sender=agents)
    def take_from_one(self, episode: str, agent: str, sender: str) -> None:
        if sender == agent or (episode, sender) in self.gone:
            return
        mailbox = self.mailbox(episode, agent)
        taken = mailbox.take(sender)
        expected = [entry for entry in self.unread[episode, agent] if entry[0] == sender]
        assert [(message.sender, message.data) for message in taken] == expected
        mailbox.acknowledge(taken)
        self.unread[episode, agent] = [entry for entry in self.unread[episode, agent] if entry[0] != sender]

    @rule(episode=episodes, agent=agents)
    def restart(self, episode: str, agent: str) -> None:
        self.mailbox(episode, agent).close()
        del self.connectors[episode, agent]

    @precondition(lambda self: len(self.gone) < 3)
    @rule(episode=episodes, agent=agents, how=st.sampled_from(Ending))
    def finish(self, episode: str, agent: str, how: Ending) -> None:
        first = (episode, agent) not in self.gone
        assert mark_finished(self.broker.episode_url(self.names[episode]), agent, how) is first
        self.gone.add((episode, agent))
        for teammate in AGENTS:
            if first and teammate != agent and (episode, teammate) not in self.gone:
                self.unread[episode, teammate].append(("harness", farewell(agent, how, None).encode()))

    @invariant()
    def peek_agrees(self) -> None:
        for (episode, agent), mailbox in self.connectors.items():
            assert [message["from"] for message in mailbox.peek()] == [
                sender for sender, _ in self.unread[episode, agent]
            ]

    def teardown(self) -> None:
        for episode in EPISODES:
            said = read_conversation(self.broker.episode_url(self.names[episode]), dict.fromkeys(AGENTS))
            assert len(said) == self.sent[episode]
            assert all(message.delivered is (message.refused is None) for message in said)
        for mailbox in self.connectors.values():
            mailbox.close()
        for name in self.names.values():
            self.broker.close_episode(name)


@pytest.mark.slow
def test_every_sequence_of_operations_agrees_with_the_model(broker: Broker) -> None:
    machine = type("BoundMailboxes", (Mailboxes,), {"broker": broker})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
