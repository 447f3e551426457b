"""One member's place in an episode: its name, its teammates, and what it may use to work with them."""

from pydantic import Field

from cooperbench.records import AgentId, Record, Role


class Seat(Record):
    """What a member may use. Something that is off is absent here, and leaves no trace in sandbox, prompt or tools."""

    agent_id: AgentId
    agents: tuple[AgentId, ...] = Field(description="All members, this one included.")
    comm_url: str | None = Field(None, description="The mailbox with this member's rights; `None` without messages.")
    git_server_url: str | None = Field(None, description="The shared repository with this member's rights.")
    task_board: bool = False
    role: Role | None = Field(None, description="Only in the team setting.")

    @property
    def teammates(self) -> tuple[AgentId, ...]:
        """The other members."""
        return tuple(name for name in self.agents if name != self.agent_id)
