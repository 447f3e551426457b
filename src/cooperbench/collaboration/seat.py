"""One member's place in an episode: its name, its teammates, and what it may use to work with them."""

import threading
from typing import Self
from weakref import WeakKeyDictionary

from pydantic import Field, model_validator

from cooperbench.collaboration.board_verbs import board_service
from cooperbench.collaboration.calls import Service
from cooperbench.collaboration.git_setup import set_up_git
from cooperbench.collaboration.git_verbs import git_service
from cooperbench.collaboration.line import Line
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message_verbs import message_service
from cooperbench.environments import Environment
from cooperbench.environments.bases import base_of_sandbox
from cooperbench.records import AgentId, Record, Role

_lock = threading.Lock()
_lines: "WeakKeyDictionary[Environment, Line]" = WeakKeyDictionary()


class Seat(Record):
    """What a member may use. Something that is off is absent here, and leaves no trace in sandbox, prompt or tools.

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
    lead: AgentId | None = Field(None, description="Who leads the team, if somebody does.")

    @property
    def teammates(self) -> tuple[AgentId, ...]:
        """The other members."""
        return tuple(name for name in self.agents if name != self.agent_id)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.agent_id not in self.agents or len(set(self.agents)) != len(self.agents):
            raise ValueError(f"{self.agent_id} has to be among the members, and every name has to be there once")
        if self.lead is not None and self.lead not in self.agents:
            raise ValueError(f"{self.lead} cannot lead a team that it does not belong to")
        return self


def connect(env: Environment, seat: Seat, *, history_stripped: bool = False) -> Line:
    """Put `coop` into a sandbox and serve it for the member who sits there, until the line is closed.

    If the seat has a shared git repository, plain git works with it afterwards; `history_stripped` says that nothing after the base
    commit is in the sandbox any more, which is seen to otherwise. Called again for the same environment, it
    returns the line that is there. Raises `SandboxError`, `MailboxError` or `RemoteError` when the sandbox cannot take part; in the
    first sandbox of its kind a round trip is made from inside before it returns.
    """
    with _lock:
        line = _lines.get(env)
        if line is None or line.closed:
            line = Line(env, _services(env, seat))
            try:
                _check(line, env)
                if seat.git_server_url is not None:
                    set_up_git(env, seat.agent_id, seat.git_server_url, history_stripped=history_stripped)
            except BaseException:
                line.close()
                raise
            _lines[env] = line
        return line


def _check(line: Line, env: Environment) -> None:
    """Make a round trip, unless one was made in a sandbox like this one: it takes 15 programs, and a run has hundreds of sandboxes."""
    base = base_of_sandbox(env)
    if base is not None and base.was_seen(line.kind):
        return
    line.check()
    if base is not None:
        base.note(line.kind)


def _services(env: Environment, seat: Seat) -> list[Service]:
    services = []
    if seat.comm_url is not None:
        mailbox = MessagingConnector(seat.agent_id, seat.agents, seat.comm_url)
        services.append(message_service(mailbox, env.options.command_timeout))
    if seat.git_server_url is not None:
        services.append(git_service(seat.agent_id, seat.git_server_url))
    if seat.board_url is not None:
        services.append(board_service(seat.agent_id, seat.board_url))
    return services
