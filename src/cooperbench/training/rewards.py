"""The parts of a member's reward, computed from the stages of its team's evaluation.

A part is `None` where something other than the agents failed: that is not a signal, and 0 would be one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.evaluation import reward
from cooperbench.records import Evaluation, Failure, FeatureId, Outcome, Stage, StageStatus, SuiteResult


class RewardPart(StrEnum):
    """One way to look at what a member achieved. More is better in each."""

    ALL = "all"
    """1 if every feature of the group passes, else 0; the same for all members."""
    SHARE = "share"
    """The share of the group's features that pass; the same for all members."""
    OWN = "own"
    """The share of the member's own features that pass in the merged work."""
    ALONE = "alone"
    """The share of the member's own features that pass on its work alone, before the merge."""
    CONFLICT = "conflict"
    """-1 if git could not merge the member's work with a teammate's, else 0."""
    DIFFERENCE = "difference"
    """The team's share minus the share that passes without this member's work: a difference reward (Wolpert and Tumer, 2001)."""


Rewards = str | Sequence[str] | Mapping[str, float]
"""The parts that count: one, several that are added, or several with their weights."""
_HINT = "rewards='own', or with weights: rewards={'all': 1.0, 'difference': 0.5}"


def read_weights(rewards: Rewards) -> dict[RewardPart, float]:
    """Return the weight of each part that counts. Raises `UsageError` for unknown parts and weights that are not numbers."""
    if isinstance(rewards, str):
        rewards = {rewards: 1.0}
    elif not isinstance(rewards, Mapping):
        rewards = dict.fromkeys(rewards, 1.0)
    if not rewards:
        raise UsageError("no reward is named", subject="rewards", hint=_HINT)
    known = [part.value for part in RewardPart]
    for name, weight in dict[str, Any](rewards).items():
        if name not in known:
            raise UnknownNameError("reward", name, known, hint=_HINT)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
            raise UsageError(f"the weight of reward {name!r} is {weight!r}, not a number", subject=name, hint=_HINT)
    return {RewardPart(name): float(weight) for name, weight in rewards.items()}


def weighted(parts: Mapping[RewardPart, float | None], weights: Mapping[RewardPart, float]) -> float | None:
    """Add the parts that count. `None` if one of them is."""
    total = 0.0
    for part, weight in weights.items():
        value = parts[part]
        if value is None:
            return None
        total += weight * value
    return total


def nothing_known() -> dict[RewardPart, float | None]:
    """Return the parts of an episode that could not be judged."""
    return dict.fromkeys(RewardPart)


def reward_parts(
    evaluation: Evaluation,
    teams: Mapping[str, Sequence[FeatureId]],
    agent_id: str,
    without: Evaluation | Failure | None = None,
) -> dict[RewardPart, float | None]:
    """Compute the parts for one member. `teams` has the features of every member.

    `without` is the evaluation of the others' work, which `difference` needs in teams of three or more.
    """
    if evaluation.verdict.outcome is Outcome.INFRA_ERROR:
        return nothing_known()
    own = teams[agent_id]
    stages = {stage.name: stage for stage in evaluation.stages}
    return {
        RewardPart.ALL: reward(evaluation, "all"),
        RewardPart.SHARE: reward(evaluation, "share"),
        RewardPart.OWN: _mean(reward(evaluation, "own", feature=feature) for feature in own),
        RewardPart.ALONE: _share_alone(stages, teams, agent_id, own),
        RewardPart.CONFLICT: _conflict(stages.get("naive"), agent_id),
        RewardPart.DIFFERENCE: _difference(evaluation, stages, teams, agent_id, without),
    }


def _share_alone(
    stages: Mapping[str, Stage], teams: Mapping[str, Sequence[FeatureId]], agent_id: str, features: Sequence[FeatureId]
) -> float | None:
    """Return the share of `features` that pass on one member's work alone. A member without a change has no such stage."""
    # One member alone is the merge already, and has no stage of its own.
    stage = stages.get("naive" if len(teams) == 1 else f"single:{agent_id}")
    if stage is None or stage.status is StageStatus.EMPTY:
        return 0.0
    suites = {suite.feature: suite for suite in stage.suites}
    if stage.status is StageStatus.ERROR or not suites.keys() >= set(features):
        return 0.0 if stage.status is StageStatus.REJECTED else None
    return _mean(_passed(suites[feature]) for feature in features)


def _difference(
    evaluation: Evaluation,
    stages: Mapping[str, Stage],
    teams: Mapping[str, Sequence[FeatureId]],
    agent_id: str,
    without: Evaluation | Failure | None,
) -> float | None:
    """Compare with the team without the member: of a pair, the teammate's work alone."""
    others = [each for each in teams if each != agent_id]
    rest: float | None
    if len(others) > 1:
        rest = reward(without, "share") if isinstance(without, Evaluation) else None
    else:
        rest = _share_alone(stages, teams, others[0], evaluation.features) if others else 0.0
    share = reward(evaluation, "share")
    return None if share is None or rest is None else share - rest


def _conflict(naive: Stage | None, agent_id: str) -> float | None:
    if naive is None or naive.status is StageStatus.ERROR:
        return None
    conflicts = [conflict for step in naive.steps for conflict in step.conflicts]
    return -1.0 if any(agent_id in (*each.ours, each.theirs) for each in conflicts) else 0.0


def _passed(suite: SuiteResult) -> float | None:
    return None if suite.outcome is Outcome.INFRA_ERROR else float(suite.outcome is Outcome.PASSED)


def _mean(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None
