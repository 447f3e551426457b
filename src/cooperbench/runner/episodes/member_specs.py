"""From an episode to the specs of its members: prompt, configuration, sandbox, folders."""

from typing import Any

from cooperbench.agents.assignment import episode_config
from cooperbench.collaboration.prompts import render_task
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import Member
from cooperbench.records.run_owner import OWNER
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.plan import assignment_of
from cooperbench.runner.workers.specs import MemberSpec

ENDPOINT_KEY = "COOPERBENCH_ENDPOINT_KEY"
"""The variable in which a worker finds the key of `Services.keys`."""
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
    config_of_agent = _seeded(episode_config(assignment_of(config, episode, member)), config.seed_of(episode.group))
    variables = {OWNER: services.owner} if services else {}
    if services is not None and (key := services.keys.get(member.agent_id)):
        variables[ENDPOINT_KEY] = key
        config_of_agent = {
            **config_of_agent,
            "model": {**config_of_agent.get("model", {}), "api_key_env": ENDPOINT_KEY},
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
        config=config_of_agent,
        store=episode.directory.work / "store.git",
        folder=folder,
        log_dir=folder / "logs",
        ledger=services.ledger if services else None,
        max_cost=config.max_cost,
        variables=variables,
    )


def _seeded(config: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """Put the seed of the episode where agents look for a model's settings, unless the configuration has one there."""
    model = config.get("model", {})
    return config if seed is None or not isinstance(model, dict) else {**config, "model": {"seed": seed, **model}}
