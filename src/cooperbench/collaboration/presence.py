"""Presence: what the harness knows about each member, and shows to the others.

Members do not report themselves. The harness owns their processes, so it records when one begins and when its work has ended,
whatever the reason; a slow member still counts as working. An ending is announced once, in the same step that makes the broker
refuse messages to that member, so a message is either delivered before or refused after.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from cooperbench.collaboration._store import Store, open_store, text_of
from cooperbench.collaboration.message import broker_time
from cooperbench.records import AgentId, Ending, Record, utc_now
from cooperbench.records.visible import one_line

_ENDINGS = {
    Ending.SUBMITTED: "has finished",
    Ending.LIMIT: "reached its limit and stopped",
    Ending.TIMEOUT: "ran out of time and was stopped",
    Ending.ERROR: "stopped with an error",
    Ending.CRASH: "crashed",
    Ending.INTERRUPTED: "was interrupted",
    Ending.INFRA_ERROR: "was lost to a failure of the infrastructure",
}


class Presence(StrEnum):
    """The state of a member, as far as its teammates are concerned."""

    EXPECTED = "expected"
    """It has not begun; messages to it wait until it does."""
    WORKING = "working"
    FINISHED = "finished"
    """Its work has ended; messages to it are refused."""


class Teammate(Record):
    """The known facts about one member."""

    agent_id: AgentId
    presence: Presence = Presence.EXPECTED
    since: datetime | None = None
    doing: str = ""
    ending: Ending | None = None
    branch: str | None = None
    last_push: str | None = None
    waiting_for: str | None = None
    """The member whose message it is waiting for at this moment, or `anyone`."""
    waiting_since: datetime | None = None

    def sentence(self, reader: str) -> str:
        """Describe this member in one line for `reader`."""
        if self.presence is Presence.FINISHED and self.ending is not None:
            return farewell(self.agent_id, self.ending, self.branch)
        parts = [
            f"{self.agent_id} is working" if self.presence is Presence.WORKING else f"{self.agent_id} is not here yet"
        ]
        if self.doing:
            parts.append(one_line(self.doing))
        if self.last_push:
            parts.append(f"last push: {one_line(self.last_push)}")
        if self.waiting_for:
            whom = {reader: "YOU", "anyone": "a message"}.get(self.waiting_for, self.waiting_for)
            since = f" since {self.waiting_since:%H:%M:%S} UTC" if self.waiting_since else ""
            parts.append(f"waiting for {whom}{since}")
        return "; ".join(parts)


def farewell(agent_id: str, ending: Ending, branch: str | None) -> str:
    """Describe the end of a member's work; `branch` says where the work is."""
    return f"{agent_id} {_ENDINGS[ending]}" + (f"; its work is on {branch}" if branch else "")


def mark_working(url: str, agent_id: str, *, doing: str = "") -> None:
    """Show teammates that this member has begun. `url` is the harness's address of the episode."""
    with open_store(url) as (store, prefix):
        state = Teammate(agent_id=agent_id, presence=Presence.WORKING, since=utc_now(), doing=doing)
        store.command("HSET", f"{prefix}state", agent_id, state.model_dump_json())


def mark_finished(
    url: str, agent_id: str, how: Ending, branch: str | None = None, *, agents: Sequence[str] = ()
) -> bool:
    """Announce that this member's work has ended, and refuse messages to it from now on.

    `branch` says where its work is, such as "branch agent2 of origin". `agents` are the members to notify, by default those for
    which the episode was opened. Returns false when the ending was announced before.
    """
    with open_store(url) as (store, prefix):
        state = Teammate(
            agent_id=agent_id, presence=Presence.FINISHED, since=utc_now(), ending=how, branch=branch
        ).model_dump_json()
        members = list(agents) or _members(store, prefix)
        others = [name for name in members if name != agent_id]
        words = farewell(agent_id, how, branch)
        return bool(store.run("finish", prefix, agent_id, state, words, f"notice-{uuid.uuid4().hex}", *others))


def note_push(url: str, agent_id: str, what: str) -> None:
    """Show teammates the last push of this member, such as "agent1 at 1a2b3c4: Add the parser"."""
    with open_store(url) as (store, prefix):
        store.command("HSET", f"{prefix}pushes", agent_id, what)


def note_members(store: Store, prefix: str, agents: Sequence[str]) -> None:
    """Record who belongs to the episode."""
    store.command("SET", f"{prefix}members", json.dumps(list(agents)))


def read_team(store: Store, prefix: str, agents: Sequence[str]) -> list[Teammate]:
    """Return what is known about these members."""
    if not agents:
        return []
    states = store.command("HMGET", f"{prefix}state", *agents)
    pushes = store.command("HMGET", f"{prefix}pushes", *agents)
    team = []
    for name, state, push in zip(agents, states, pushes, strict=True):
        known = Teammate.model_validate_json(state) if state else Teammate(agent_id=name)
        update: dict[str, object] = {"last_push": text_of(push) or None}
        if known.presence is not Presence.FINISHED:
            waiting = text_of(store.command("HGET", f"{prefix}own:{name}:status", "waiting"))
            if waiting:
                whom, moment = waiting.split()
                update |= {"waiting_for": whom, "waiting_since": broker_time(moment)}
        team.append(known.model_copy(update=update))
    return team


def farewells(store: Store, prefix: str, agents: Sequence[str]) -> dict[str, str]:
    """Return the members whose work has ended, each with a sentence about it."""
    words = store.command("HMGET", f"{prefix}farewell", *agents) if agents else []
    return {name: text_of(text) for name, text in zip(agents, words, strict=True) if text}


def _members(store: Store, prefix: str) -> list[str]:
    members = store.command("GET", f"{prefix}members")
    return [str(name) for name in json.loads(members)] if members else []
