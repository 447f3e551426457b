"""The result of a rollout: what the team achieved, and what each member is rewarded with."""

from collections.abc import Mapping
from pathlib import Path

from cooperbench.records import (
    AgentId,
    Ending,
    EpisodeResult,
    EpisodeStatus,
    Evaluation,
    Failure,
    FeatureId,
    MemberResult,
    Outcome,
    Record,
    Setting,
    Usage,
)
from cooperbench.runner.engine.evaluations import failure_of
from cooperbench.training.rewards import RewardPart, nothing_known, reward_parts, weighted


class MemberRollout(Record):
    """One member's part of a rollout."""

    agent_id: AgentId
    features: tuple[FeatureId, ...]
    reward: float | None
    """The parts asked for, weighted and added; `None` where infrastructure failed."""
    parts: dict[RewardPart, float | None]
    ending: Ending
    truncated: bool
    """True if a limit ended the work: steps, tokens, cost or time."""
    steps: int
    usage: Usage
    submitted: bool
    """True if the member changed anything."""
    trajectory: Path | None
    """Its messages, on disk."""
    error: Failure | None


class TeamRollout(Record):
    """One live episode and its judgement."""

    task: str
    features: tuple[FeatureId, ...]
    setting: Setting
    outcome: Outcome
    """`infra_error` where something other than the agents failed."""
    passed: bool | None
    """`None` where infrastructure failed."""
    policy: str
    members: dict[AgentId, MemberRollout]
    seconds: float
    record: Path
    """The run directory: `cooperbench runs show` reads it."""
    episode: Path
    """The episode's directory inside of it, with patches, messages, events and verdict."""
    error: Failure | None
    """What failed, if it was not the agents."""

    @property
    def failed(self) -> bool:
        """True where infrastructure failed: the rollout is not a sample."""
        return self.outcome is Outcome.INFRA_ERROR

    @property
    def rewards(self) -> dict[AgentId, float | None]:
        """The reward of each member."""
        return {name: member.reward for name, member in self.members.items()}


def team_rollout(
    result: EpisodeResult,
    judged: Evaluation | Failure | None,
    weights: dict[RewardPart, float],
    *,
    without: Mapping[str, Evaluation | Failure],
    policy: str,
    seconds: float,
    record: Path,
    episode: Path,
) -> TeamRollout:
    """Put the result together. `judged` is `None` for an episode that was not completed.

    `without` has the evaluation of the others' work for members of teams of three or more, where a reward needs it.
    """
    evaluation = judged if isinstance(judged, Evaluation) else None
    outcome = evaluation.verdict.outcome if evaluation is not None else Outcome.INFRA_ERROR
    features = {agent_id: member.features for agent_id, member in result.agents.items()}
    members = {}
    for agent_id, member in result.agents.items():
        parts = nothing_known()
        if evaluation is not None:
            parts = reward_parts(evaluation, features, agent_id, without.get(agent_id))
        members[agent_id] = _member(member, parts, weighted(parts, weights), episode)
    return TeamRollout(
        task=f"{result.repo}/{result.task_id}",
        features=result.features,
        setting=result.setting,
        outcome=outcome,
        passed=None if outcome is Outcome.INFRA_ERROR else outcome is Outcome.PASSED,
        policy=policy,
        members=members,
        seconds=round(seconds, 3),
        record=record,
        episode=episode,
        error=_failure(result, judged),
    )


def _member(
    member: MemberResult, parts: dict[RewardPart, float | None], reward: float | None, episode: Path
) -> MemberRollout:
    return MemberRollout(
        agent_id=member.agent_id,
        features=member.features,
        reward=reward,
        parts=parts,
        ending=member.ending,
        truncated=member.ending in (Ending.LIMIT, Ending.TIMEOUT),
        steps=member.steps,
        usage=member.usage,
        submitted=member.submission is not None and member.submission.bytes > 0,
        trajectory=None if member.trajectory is None else episode / member.trajectory,
        error=member.error,
    )


def _failure(result: EpisodeResult, judged: Evaluation | Failure | None) -> Failure | None:
    if result.status is not EpisodeStatus.COMPLETED:
        members = (member.error for member in result.agents.values() if member.ending is Ending.INFRA_ERROR)
        return result.error or next((error for error in members if error is not None), None)
    if not isinstance(judged, Evaluation):
        return judged
    return failure_of(judged)
