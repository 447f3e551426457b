"""Read the conversation of an episode from the broker's own log: who sent what to whom, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import permutations
from typing import NamedTuple

from cooperbench.collaboration._store import Store, open_store
from cooperbench.collaboration.message import HARNESS, Message, broker_time, from_entry
from cooperbench.records import ConversationMessage, Event, FeatureId

_PAGE = 50

LOST = "lost on the way"
"""The refusal recorded for a message that the channel's policy lost; its sender believes that it was delivered."""


class _Logged(NamedTuple):
    message: Message
    delivered: bool
    read_at: datetime | None


def read_conversation(url: str, features: Mapping[str, FeatureId | None]) -> list[ConversationMessage]:
    """Return the messages of an episode in the broker's order. `url` is the harness's address of the episode.

    `features` names the members, each with its (first) feature. Refused messages are included, with the reason; notices from the
    harness are not, because they are events. Safe to call while the members write.
    """
    return [
        ConversationMessage(
            sender=entry.message.sender,
            to=entry.message.to,
            message=entry.message.text,
            timestamp=entry.message.time,
            feature_id=features[entry.message.sender],
            sequence=entry.message.sequence,
            id=entry.message.id,
            reply_to=entry.message.reply_to,
            delivered=entry.delivered,
            read_at=entry.read_at,
            refused=entry.message.refused or (None if entry.delivered else LOST),
        )
        for entry in _log(url, tuple(features))
        if entry.message.sender != HARNESS
    ]


def read_events(url: str, agents: Sequence[str]) -> list[Event]:
    """Return messages and notices as events, ordered by the broker's time and numbered from 0.

    Their kinds are `message.sent`, `message.delivered`, `message.refused`, `message.lost`, `message.read`, `notice.sent` and
    `notice.read`.
    """
    found: list[tuple[datetime, str, str, dict[str, object]]] = []
    for message, delivered, read_at in _log(url, agents):
        kind = "notice" if message.sender == HARNESS else "message"
        data: dict[str, object] = {
            "id": message.id,
            "sequence": message.sequence,
            "from": message.sender,
            "to": message.to,
        }
        content = {**data, "bytes": len(message.data), "reply_to": message.reply_to, "question": message.question}
        if kind == "notice":
            content["text"] = message.text
        found.append((message.time, f"{kind}.sent", message.sender, content))
        if message.refused:
            found.append((message.time, "message.refused", message.sender, {**data, "reason": message.refused}))
        elif kind == "message":
            outcome = "message.delivered" if delivered else "message.lost"
            found.append((message.time, outcome, message.sender, data))
        if read_at:
            found.append((read_at, f"{kind}.read", message.to, data))
    found.sort(key=lambda event: event[0])
    return [
        Event(sequence=number, time=time, kind=kind, agent_id=agent, data=data)
        for number, (time, kind, agent, data) in enumerate(found)
    ]


def _log(url: str, agents: Sequence[str]) -> list[_Logged]:
    with open_store(url) as (store, prefix):
        # The streams are read one after another while members write; up to this number they are all complete.
        until = int(store.command("GET", f"{prefix}clock") or 0)
        entries = [entry for entry in _entries(store, prefix, agents) if entry.message.sequence <= until]
        return sorted(entries, key=lambda entry: entry.message.sequence)


def _entries(store: Store, prefix: str, agents: Sequence[str]) -> Iterator[_Logged]:
    reads = {agent: _read_times(store, f"{prefix}own:{agent}:read") for agent in agents}
    pairs = [*permutations(agents, 2), *((HARNESS, agent) for agent in agents)]
    for sender, to in pairs:
        for message in _stream(store, f"{prefix}mail:{sender}:{to}", sender):
            yield _Logged(message, True, reads[to].get(message.sequence))
    for sender in agents:
        for fate in ("refused", "lost"):
            for message in _stream(store, f"{prefix}{fate}:{sender}", sender):
                yield _Logged(message, False, None)


def _stream(store: Store, key: str, sender: str) -> Iterator[Message]:
    last = "-"
    while page := store.command("XRANGE", key, last, "+", "COUNT", _PAGE):
        for place, fields in page:
            yield from_entry(sender, place, fields)
        last = f"({page[-1][0].decode()}"


def _read_times(store: Store, key: str) -> dict[int, datetime]:
    return {int(sequence): broker_time(moment) for sequence, moment in store.command("HGETALL", key).items()}
