"""The members of an episode and their limits."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from cooperbench.records.base import AgentId, FeatureId, Record
from cooperbench.records.host_paths import recorded_model, recorded_value


class Setting(StrEnum):
    """The way the features of a group are assigned."""

    SOLO = "solo"
    """One agent does all features."""
    COOP = "coop"
    """One agent for each feature."""
    TEAM = "team"
    """As coop, with a lead, members and a shared task board."""
    NATIVE = "native"
    """One agent does all features with a team of its own, on the budget of a team."""

    @property
    def alone(self) -> bool:
        """True when one agent has all features of a group: nobody else is in the episode."""
        return self in (Setting.SOLO, Setting.NATIVE)


class Role(StrEnum):
    """A member's part in the team setting."""

    LEAD = "lead"
    MEMBER = "member"


class Limits(Record):
    """The most that one member may use. `None` means no limit."""

    steps: int | None = Field(100, ge=1, description="Model calls.")
    tokens: int | None = Field(None, ge=1, description="Input plus output tokens over all calls.")
    cost: float | None = Field(3.0, gt=0, description="US dollars, as far as prices are known.")
    command_time: float = Field(
        120.0, gt=0, description="Seconds one command may take when the agent asks for no other limit."
    )
    wall_time: float = Field(
        3600.0, gt=0, description="Seconds the member may work before it is ended and its work captured."
    )


class Member(Record):
    """One member of a team."""

    agent_id: AgentId
    agent: str = Field(description="Name of the agent framework, as in the registry, or `package.module:Class`.")
    model: str
    features: tuple[FeatureId, ...] = Field(
        (), description="Handed out by position for each episode; empty in `config.json`, never in an episode."
    )
    role: Role | None = Field(None, description="Only in the team setting.")
    config: dict[str, Any] = Field(default_factory=dict, description="What the agent gets as `config`.")
    config_path: str | None = Field(
        None, description="What the agent gets as `agent_config`; in a record the file's name."
    )
    limits: Limits = Limits()

    def recorded(self) -> Self:
        """Return the member as it is recorded: files of this machine by their names."""
        changes = {
            "model": recorded_model(self.model),
            "config": recorded_value(self.config),
            "config_path": Path(self.config_path).name if self.config_path else self.config_path,
        }
        return self.model_copy(update=changes)
