"""What a member is told, and what it is configured with."""

from typing import Any

from cooperbench.collaboration.prompts import render_task
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import Member, RunConfig
from cooperbench.runner.planning.plan import Episode

GOLD = "gold"


def member_prompt(episode: Episode, config: RunConfig, access: TeamAccess) -> str:
    """The text that the agent gets as `task`."""
    member = next(member for member in episode.members if member.agent_id == access.agent_id)
    texts = {number: episode.task.features[number].description for number in member.features}
    return render_task(texts, access, config.setting)


def member_config(episode: Episode, member: Member) -> dict[str, Any]:
    """The agent's configuration. Only the gold agent learns where the gold patches lie, and not by its prompt."""
    if member.agent != GOLD:
        return dict(member.config)
    patches = [str(episode.task.features[feature].path / "feature.patch") for feature in member.features]
    combined = episode.task.path / "combined.patch"
    return {**member.config, GOLD: {"patches": patches, "combined": str(combined) if combined.exists() else None}}
