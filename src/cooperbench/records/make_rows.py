"""Make flat rows of runs, for tables, data frames and statistics.

Episodes that did not run or were not judged have rows too, with `None` where nothing is known: nothing is dropped in silence.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from cooperbench.errors import RecordError
from cooperbench.records.episode import EpisodeResult, MemberResult, Usage
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import read_model
from cooperbench.records.host_paths import recorded_model
from cooperbench.records.rows import EpisodeRow, MemberRow
from cooperbench.records.run import GroupKey, RunConfig
from cooperbench.records.team import Limits, Setting
from cooperbench.records.verdict import Outcome, StageStatus

_ALONE = frozenset(setting.value for setting in Setting if setting.alone)
"""Names of the agents that are the only ones of their episode."""


class _Partial(BaseModel):
    # Validating the tests of every suite takes most of the time that reading an evaluation takes.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _SuitePart(_Partial):
    feature: int
    outcome: Outcome


class _ConflictPart(_Partial):
    path: str


class _StepPart(_Partial):
    conflicts: tuple[_ConflictPart, ...] = ()


class _StagePart(_Partial):
    name: str
    status: StageStatus
    steps: tuple[_StepPart, ...] = ()
    suites: tuple[_SuitePart, ...] = ()

    def passed(self, features: Sequence[int]) -> bool | None:
        """Tell if all of these features pass here; `None` if that was not tested."""
        outcomes = [suite.outcome for suite in self.suites if suite.feature in features]
        if len(outcomes) < len(features) or Outcome.INFRA_ERROR in outcomes:
            return None
        return all(outcome is Outcome.PASSED for outcome in outcomes)


class _Stages(_Partial):
    stages: tuple[_StagePart, ...] = ()


def episode_rows(config: RunConfig, episodes: Sequence[EpisodeView], policies: Sequence[str]) -> Iterator[EpisodeRow]:
    """Yield a row for each episode and policy."""
    for episode in episodes:
        known = _episode_facts(config, episode)
        for policy in policies:
            yield EpisodeRow(**known, **_verdict_facts(episode, policy), run_policy=policy == config.policy)


def member_rows(config: RunConfig, episodes: Sequence[EpisodeView]) -> Iterator[MemberRow]:
    """Yield a row for each member of each episode that has a result."""
    for episode in episodes:
        if episode.result is None:
            continue
        stages = _read_stages(episode)
        common = _group_facts(config, episode)
        for member in episode.result.agents.values():
            yield MemberRow(**common, **_member_facts(config, member), alone_passed=_alone(stages, member))


def _group_facts(config: RunConfig, episode: EpisodeView) -> dict[str, Any]:
    group, result = episode.group, episode.result
    return {
        **{name: getattr(config, name) for name in ("run", "backend", "git", "messaging", "task_board")},
        "setting": config.setting.value,
        "data": config.tasks.dataset,
        "data_revision": config.tasks.revision,
        "task_revision": result.task_revision if result else None,
        "subset": config.tasks.subset,
        "seed": config.seed_of(group),
        "repo": group.repo,
        "task_id": group.task_id,
        "task": group.task,
        "group": str(group.first),
        "episode": str(group),
        "repeat": group.repeat,
        "features": group.features,
        "size": len(group.features),
        "language": result.language if result else None,
        "state": episode.state.value,
    }


def _episode_facts(config: RunConfig, episode: EpisodeView) -> dict[str, Any]:
    team = config.team[: len(episode.group.features)]
    return {
        **_group_facts(config, episode),
        "agents": tuple(member.agent for member in team),
        "models": tuple(recorded_model(member.model) for member in team),
        **_stage_facts(_read_stages(episode), episode.group, episode.result),
        **_usage_facts(episode.result),
        "attempts": episode.attempts,
        "step_budget": _total([member.limits.steps for member in team]),
        "token_budget": _total([member.limits.tokens for member in team]),
        "cost_budget": _total([member.limits.cost for member in team]),
        "wall_time": max(member.limits.wall_time for member in team),
    }


def _read_stages(episode: EpisodeView) -> dict[str, _StagePart]:
    if not episode.verdicts:
        return {}
    try:
        stages = read_model(episode.files.evaluation, _Stages).stages
    except (FileNotFoundError, RecordError):
        return {}
    return {stage.name: stage for stage in stages}


def _stage_facts(stages: dict[str, _StagePart], group: GroupKey, result: EpisodeResult | None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("naive", "union", "resolver"):
        stage = stages.get(name)
        facts[name] = stage.status.value if stage else None
        facts[f"{name}_passed"] = stage.passed(group.features) if stage else None
    alone = [_alone(stages, member) for member in result.agents.values()] if result else []
    facts["alone_passed"] = None if not alone or None in alone else all(alone)
    steps = stages["naive"].steps if "naive" in stages else ()
    facts["conflict_paths"] = tuple(conflict.path for step in steps for conflict in step.conflicts)
    return facts


def _alone(stages: dict[str, _StagePart], member: MemberResult) -> bool | None:
    """Tell if a member's own features pass on its work alone. Work of one member alone is the merge itself."""
    stage = stages.get(f"single:{member.agent_id}") or (stages.get("naive") if member.agent_id in _ALONE else None)
    if stage is not None:
        return stage.passed(member.features)
    # Nothing is tested where nothing was submitted, once the others were.
    empty = member.submission is not None and member.submission.bytes == 0
    return False if empty and any(name.startswith("single:") for name in stages) else None


def _verdict_facts(episode: EpisodeView, policy: str) -> dict[str, Any]:
    verdict = episode.verdicts.get(policy)
    found = {feature.feature: feature for feature in verdict.features} if verdict else {}
    ordered = [found[feature] for feature in episode.group.features if feature in found]
    return {
        "policy": policy,
        "judged": verdict is not None,
        "outcome": verdict.outcome.value if verdict else None,
        "passed": verdict.passed if verdict else None,
        "stage": verdict.stage if verdict else None,
        "reason": next((feature.reason for feature in ordered if feature.reason), ""),
        "feature_outcomes": tuple(feature.outcome.value for feature in ordered),
        "feature_reasons": tuple(feature.reason for feature in ordered),
        "features_passed": sum(feature.outcome is Outcome.PASSED for feature in ordered) if verdict else None,
    }


_USED = ("input_tokens", "output_tokens", "cached_tokens")


def _usage_facts(result: EpisodeResult | None) -> dict[str, Any]:
    if result is None:
        names = ("cost", *_USED, "steps", "seconds", "agent_seconds", "messages", "error", "image_digest")
        return dict.fromkeys((*names, "started_at", "ended_at"))
    usages = [member.usage for member in result.agents.values()]
    return {
        "cost": result.total_cost,
        **{name: _total([getattr(usage, name) for usage in usages]) for name in _USED},
        "steps": result.total_steps,
        "seconds": result.duration_seconds,
        "agent_seconds": sum(_seconds(member) for member in result.agents.values()),
        "messages": result.messages,
        "error": result.error.kind if result.error else None,
        "image_digest": result.image_digest,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
    }


def _member_facts(config: RunConfig, member: MemberResult) -> dict[str, Any]:
    limits = next((each.limits for each in config.team if each.agent_id == member.agent_id), Limits())
    usage: Usage = member.usage
    return {
        **{name: getattr(member, name) for name in ("agent_id", "agent", "steps", "patch_lines", "status")},
        "model": recorded_model(member.model),
        "role": member.role.value if member.role else None,
        "own_features": member.features,
        "ending": member.ending.value,
        "cost": usage.cost,
        **{name: getattr(usage, name) for name in _USED},
        "seconds": _seconds(member),
        "messages_sent": member.messages_sent,
        "messages_received": member.messages_received,
        "submitted": member.submission is not None and member.submission.bytes > 0,
        "limit": member.limit.kind if member.limit else None,
        "error": member.error.kind if member.error else None,
        "step_limit": limits.steps,
        "token_limit": limits.tokens,
        "cost_limit": limits.cost,
        "wall_time": limits.wall_time,
        "started_at": member.started_at,
        "ended_at": member.ended_at,
    }


def _seconds(member: MemberResult) -> float:
    return (member.ended_at - member.started_at).total_seconds()


def _total(values: Sequence[Any]) -> Any:
    """Add up; `None` as soon as one is unknown."""
    return None if not values or None in values else sum(values)
