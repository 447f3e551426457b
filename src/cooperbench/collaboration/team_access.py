"""The means by which one member may work with its teammates.

Each means of working together is described once, as a `TeamCapability`. It owns everything by which the means shows: the section
of the prompt, the commands that a sandbox answers, and the kinds of events that record its use. A member has all of it or
nothing of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from cooperbench.errors import UsageError
from cooperbench.records import AgentId, Record, Role


def folded(name: str) -> str:
    """Return a name as file systems that ignore case compare it: `MAIN` would be the same file as `main`."""
    return name.casefold()


def by_folded_name(agents: Iterable[str]) -> dict[str, str]:
    """Return the members by their folded names. Raises `UsageError` when two names differ in case only."""
    found: dict[str, str] = {}
    for agent in agents:
        if (other := found.setdefault(folded(agent), agent)) != agent:
            raise UsageError(
                f"the members {other!r} and {agent!r} differ in case only, as would their branches",
                subject=agent,
                hint="choose names that differ in more",
            )
    return found


class TeamAccess(Record):
    """A member's name, its teammates, and what it may use. What is off is absent, and leaves no trace in sandbox, prompt or tools.

    The addresses contain credentials; they stay with the harness.
    """

    agent_id: AgentId
    agents: tuple[AgentId, ...] = Field(description="All members, this one included.")
    comm_url: str | None = Field(None, description="The mailbox with this member's rights; `None` without messages.")
    git_server_url: str | None = Field(None, description="The shared repository with this member's rights.")
    board_url: str | None = Field(
        None, description="The task board: an address of the broker with this member's rights, also without messages."
    )
    role: Role | None = Field(None, description="Only in the team setting.")
    lead: AgentId | None = Field(None, description="The member that leads the team, if one does.")

    @property
    def teammates(self) -> tuple[AgentId, ...]:
        """The other members."""
        return tuple(name for name in self.agents if name != self.agent_id)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.agent_id not in self.agents or len(set(self.agents)) != len(self.agents):
            raise ValueError(f"{self.agent_id} must be one of the members, and each name must appear once")
        by_folded_name(self.agents)
        if self.lead is not None and self.lead not in self.agents:
            raise ValueError(f"{self.lead} cannot lead a team that it does not belong to")
        return self


@dataclass(frozen=True)
class TeamCapability:
    """One means of working together."""

    name: str
    template: str
    """The file in `templates/` with its section of the prompt."""
    commands: tuple[str, ...]
    """The requests from the sandbox that are answered only with it."""
    events: tuple[str, ...]
    """The kinds of events in `events.jsonl` that record its use."""


MESSAGING = TeamCapability(
    "messaging",
    "messaging.j2",
    commands=("send", "broadcast", "recv", "ask", "team"),
    events=("message.sent", "message.delivered", "message.refused", "message.lost", "message.read"),
)
GIT = TeamCapability(
    "git",
    "git.j2",
    commands=("git-list", "git-fetch", "git-push", "git-conflicts", "git-agent"),
    events=("git.push", "git.fetch"),
)
TASK_BOARD = TeamCapability(
    "task_board", "task_board.j2", commands=("task",), events=("task.add", "task.claim", "task.done")
)


def capabilities_of(access: TeamAccess) -> tuple[TeamCapability, ...]:
    """Return what a member has, in the order in which its prompt explains it."""
    has = {
        MESSAGING: access.comm_url is not None,
        GIT: access.git_server_url is not None,
        TASK_BOARD: access.board_url is not None,
    }
    return tuple(capability for capability, present in has.items() if present)
