"""What `submission.json` says, computed from the runs of a bundle: once by whoever writes it, and again by whoever checks it."""

from collections.abc import Mapping, Sequence

from cooperbench import __version__
from cooperbench.analysis.measures import group_means, passed
from cooperbench.analysis.statistics import rate
from cooperbench.publishing.eligibility import choices_of
from cooperbench.records import GroupKey, RunConfig
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.make_rows import episode_rows
from cooperbench.records.published import (
    PublishedEpisode,
    PublishedMember,
    PublishedPatch,
    PublishedRate,
    PublishedResult,
    PublishedRun,
)
from cooperbench.records.run_result import RunResult

Missing = Mapping[GroupKey, str]
"""Why episodes of a run have no verdict that can be published."""


def make_statement(
    runs: Sequence[RunResult], *, team: str | None, trajectories: str | None, missing: Sequence[Missing]
) -> PublishedResult:
    """State what a bundle holds. `missing` has an entry for each run. Without `team`, the team is named after its members."""
    return PublishedResult(
        cooperbench=__version__,
        team=team or team_of(runs),
        policy=runs[0].policy,
        trajectories=trajectories,
        runs=tuple(_run(run, why) for run, why in zip(runs, missing, strict=True)),
    )


def team_of(runs: Sequence[RunResult]) -> str:
    """Name a team after its members, as `agent:model`."""
    members = (f"{each.agent}:{recorded_model(each.model)}" for run in runs for each in run.config.team)
    return ", ".join(dict.fromkeys(members))[:200]


def _run(run: RunResult, missing: Missing) -> PublishedRun:
    config = run.config
    evaluator, choices = choices_of(run)
    episodes = tuple(_episode(each, missing.get(each.group, "")) for each in run.episodes)
    judged = [each for each in episodes if each.outcome is not None]
    return PublishedRun(
        run=config.run,
        setting=config.setting,
        git=config.git,
        messaging=config.messaging,
        task_board=config.task_board,
        backend=config.backend,
        members=_members(config),
        data=config.tasks,
        repeats=config.repeats,
        planned=len(episodes),
        judged=len(judged),
        evaluator=evaluator,
        choices=choices,
        groups=_rate(run),
        cost=_total([each.cost for each in judged]),
        versions=config.versions,
        episodes=episodes,
    )


def _members(config: RunConfig) -> tuple[PublishedMember, ...]:
    return tuple(
        PublishedMember(
            agent_id=member.agent_id,
            agent=member.agent,
            model=recorded_model(member.model),
            role=member.role,
            limits=member.limits,
        )
        for member in config.team
    )


def _episode(episode: EpisodeView, missing: str) -> PublishedEpisode:
    result, evaluation = episode.completed, episode.evaluation
    if missing or result is None or evaluation is None or episode.verdict is None:
        return PublishedEpisode(group=episode.group, outcome=None, missing=missing)
    submissions = [member.submission for member in result.agents.values() if member.submission is not None]
    return PublishedEpisode(
        group=episode.group,
        outcome=episode.verdict.outcome,
        cost=result.total_cost,
        task_revision=result.task_revision,
        image_digest=evaluation.image_digest,
        evaluation=evaluation.key,
        patches=tuple(
            PublishedPatch(agent_id=each.agent_id, sha256=each.sha256, bytes=each.bytes) for each in submissions
        ),
    )


def _rate(run: RunResult) -> PublishedRate:
    means = group_means(episode_rows(run.config, run.episodes, [run.policy]), passed)
    found = rate(means.values, means.pools)
    return PublishedRate(
        rate=found.rate,
        low=found.low,
        high=found.high,
        method=found.method,
        passed=found.passed,
        groups=found.n,
        pools=found.clusters,
    )


def _total(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 9) if len(known) == len(costs) else None
