"""Name the cause of each failed feature, from the stages that were tested."""

from cooperbench.analysis.explanation.models import Cause, FeatureCause
from cooperbench.records import (
    EpisodeResult,
    Evaluation,
    MemberResult,
    Outcome,
    Stage,
    SuiteResult,
    TestStatus,
    Verdict,
)
from cooperbench.records.submission import Ending

_FAILING = (TestStatus.FAILED, TestStatus.ERROR)
_LIMITS = (Ending.LIMIT, Ending.TIMEOUT)
_SHOWN = 50


def feature_causes(result: EpisodeResult, evaluation: Evaluation, verdict: Verdict) -> tuple[FeatureCause, ...]:
    """Name the cause of each feature that did not pass."""
    stages = {stage.name: stage for stage in evaluation.stages}
    owners = {feature: member for member in result.agents.values() for feature in member.features}
    causes = []
    for each in verdict.features:
        if each.outcome is Outcome.PASSED:
            continue
        owner = owners.get(each.feature)
        alone = _suite(stages.get(f"single:{owner.agent_id}") if owner else None, each.feature)
        merged = _suite(stages.get(verdict.stage or ""), each.feature)
        union = _suite(stages.get("union"), each.feature)
        tests = next((suite.tests for suite in (merged, alone) if suite is not None), ())
        failing = tuple(test.name for test in tests if test.status in _FAILING)
        causes.append(
            FeatureCause(
                feature=each.feature,
                agent_id=owner.agent_id if owner else None,
                outcome=each.outcome,
                cause=_cause(each.outcome, owner, alone, teammates=len(result.agents) > 1),
                alone=alone.outcome if alone else None,
                union=union.outcome if union else None,
                failing=failing[:_SHOWN],
                said=each.reason,
            )
        )
    return tuple(causes)


def _suite(stage: Stage | None, feature: int) -> SuiteResult | None:
    suites = stage.suites if stage is not None else ()
    return next((suite for suite in suites if suite.feature == feature), None)


def _cause(outcome: Outcome, owner: MemberResult | None, alone: SuiteResult | None, *, teammates: bool) -> Cause:
    if outcome is Outcome.INFRA_ERROR:
        return Cause.INFRASTRUCTURE
    at_limit = owner is not None and owner.ending in _LIMITS
    if owner is not None and (owner.submission is None or owner.submission.bytes == 0):
        return Cause.LIMIT if at_limit else Cause.NOTHING_HANDED_IN
    if outcome in (Outcome.NO_PATCH, Outcome.PATCH_REJECTED):
        return Cause.NOTHING_HANDED_IN
    unable = Cause.LIMIT if at_limit else Cause.COULD_NOT
    if not teammates or outcome is Outcome.FORCED:
        return unable
    if alone is not None and alone.outcome is not Outcome.INFRA_ERROR and alone.outcome is not Outcome.PASSED:
        return unable
    if outcome is Outcome.MERGE_CONFLICT:
        return Cause.CONFLICT
    return Cause.BREAK if alone is not None and alone.outcome is Outcome.PASSED else Cause.UNDETERMINED
