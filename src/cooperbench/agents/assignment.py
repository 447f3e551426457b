"""What one member works on in one episode, for agents that need to know more than their prompt.

An agent may have the method `episode_config(assignment)`. It returns what is added to the member's `config` for that episode, and
raises `UsageError` for an episode that it cannot work on; the runner asks for every episode before anything starts.
"""

from pathlib import Path
from typing import Any

from cooperbench.agents.registry import get_runner, offers
from cooperbench.records import GroupKey, Member, Record, RunConfig


class Assignment(Record):
    """One member's part of one episode."""

    run: RunConfig
    member: Member
    """With the features of this episode."""
    group: GroupKey
    task: Path
    """Folder of the task."""
    log_dir: Path
    """Folder of the runs."""


def episode_config(assignment: Assignment) -> dict[str, Any]:
    """Return the member's configuration for the episode, with what its agent adds. Raises `UsageError`."""
    member = assignment.member
    if not offers(member.agent, "episode_config"):
        return dict(member.config)
    added: dict[str, Any] = getattr(get_runner(member.agent, member.config), "episode_config")(assignment)  # noqa: B009 - optional
    return {**member.config, **added}
