"""From an episode to the specs of its members: prompt, configuration, sandbox, folders."""

from typing import Any

from cooperbench.collaboration.prompts import render_task
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import Member
from cooperbench.records.run_owner import OWNER
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.specs import MemberSpec

GOLD = "gold"
CAPTURE_SECONDS = 900
"""How long a sandbox outlives its member's time: the harness still has to capture the work."""


def make_spec(job: Job, services: Services | None, member: Member, access: TeamAccess) -> MemberSpec:
    """Put together all that the member's worker has to know. Without services, nobody counts the run's money."""
    config, episode = job.config, job.episode
    texts = {number: episode.task.features[number].description for number in member.features}
    folder = episode.directory.members / member.agent_id
    defaults = {
        "lifetime": member.limits.wall_time + CAPTURE_SECONDS,
        "command_timeout": member.limits.command_time,
    }
    return MemberSpec(
        run=config.run,
        episode=str(episode.group),
        member=member,
        access=access,
        task=render_task(texts, access, config.setting),
        image=episode.task.image,
        backend=config.backend,
        environment=defaults | config.environment,
        config=_seeded(_agent_config(episode, member), config.seed_of(episode.group)),
        store=episode.directory.work / "store.git",
        folder=folder,
        log_dir=folder / "logs",
        ledger=services.ledger if services else None,
        max_cost=config.max_cost,
        variables={OWNER: services.owner} if services else {},
    )


def _agent_config(episode: Episode, member: Member) -> dict[str, Any]:
    """Return the agent's configuration. Only the gold agent learns where the gold patches are, and not from its prompt."""
    if member.agent != GOLD:
        return dict(member.config)
    patches = [str(episode.task.features[feature].path / "feature.patch") for feature in member.features]
    combined = episode.task.path / "combined.patch"
    return {**member.config, GOLD: {"patches": patches, "combined": str(combined) if combined.exists() else None}}


def _seeded(config: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """Put the seed of the episode where agents look for a model's settings, unless the configuration has one there."""
    model = config.get("model", {})
    return config if seed is None or not isinstance(model, dict) else {**config, "model": {"seed": seed, **model}}
