"""Named, versioned policies: which merge stage decides, read from stages that were all evaluated and stored once.

A policy is a pure function of the stages. Changing one means a new version under a new number; `@1` stays what it is.
"""

from collections.abc import Callable, Sequence

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import FeatureVerdict, Outcome, Stage, StageStatus, Verdict

DEFAULT_POLICY = "naive@1"

NAIVE, UNION, RESOLVER = "naive", "union", "resolver"

Stages = dict[str, Stage]


def _naive(stages: Stages) -> Stage | None:
    return stages.get(NAIVE)


def _union(stages: Stages) -> Stage | None:
    """The union of both sides where git's own merge conflicts."""
    naive = stages.get(NAIVE)
    return stages.get(UNION, naive) if naive is not None and naive.status is StageStatus.CONFLICT else naive


def _cascade(stages: Stages) -> Stage | None:
    """As union; a model settles the conflicts where the union conflicts too or fails the tests."""
    naive, union, resolver = stages.get(NAIVE), stages.get(UNION), stages.get(RESOLVER)
    if naive is None or naive.status is not StageStatus.CONFLICT or union is None:
        return naive
    passes = bool(union.suites) and all(suite.outcome is Outcome.PASSED for suite in union.suites)
    return resolver if resolver is not None and not passes else union


_POLICIES: dict[str, Callable[[Stages], Stage | None]] = {"naive@1": _naive, "union@1": _union, "cascade@1": _cascade}

_NEED_RESOLVER = frozenset({"cascade@1"})

_OF_STATUS = {
    StageStatus.CONFLICT: Outcome.MERGE_CONFLICT,
    StageStatus.REJECTED: Outcome.PATCH_REJECTED,
    StageStatus.EMPTY: Outcome.NO_PATCH,
    StageStatus.ERROR: Outcome.INFRA_ERROR,
    StageStatus.NOT_RUN: Outcome.INFRA_ERROR,
}

# The first of these that a feature has is the group's.
_PRECEDENCE = (
    Outcome.INFRA_ERROR,
    Outcome.PATCH_REJECTED,
    Outcome.MERGE_CONFLICT,
    Outcome.NO_PATCH,
    Outcome.TESTS_FAILED,
    Outcome.PASSED,
)


def policy_names() -> list[str]:
    """Every policy with its version."""
    return list(_POLICIES)


def resolve_policy(name: str) -> str:
    """The full name of a policy; without a version the newest one is meant. Raises `UnknownNameError`."""
    matching = [known for known in _POLICIES if name in (known, known.split("@")[0])]
    if not matching:
        raise UnknownNameError("policy", name, _POLICIES)
    return max(matching, key=lambda known: int(known.split("@")[1]))


def check_policy(policy: str, *, resolver: bool) -> str:
    """The full name of a policy that can be applied. Raises `UsageError` where it needs a resolver and there is none."""
    name = resolve_policy(policy)
    if name in _NEED_RESOLVER and not resolver:
        raise UsageError(
            f"policy {name} needs a model that settles conflicts, and none is configured",
            subject=name,
            hint="--resolver-model MODEL (in Python: resolver=), or --policy union",
        )
    return name


def apply_policy(policy: str, stages: Sequence[Stage], features: Sequence[int]) -> Verdict:
    """The verdict of a policy. Nothing is executed."""
    name = resolve_policy(policy)
    stage = _POLICIES[name]({stage.name: stage for stage in stages})
    verdicts = tuple(_feature_verdict(stage, feature) for feature in features)
    outcome = next(outcome for outcome in _PRECEDENCE if any(verdict.outcome is outcome for verdict in verdicts))
    return Verdict(policy=name, stage=stage.name if stage else None, outcome=outcome, features=verdicts)


def _feature_verdict(stage: Stage | None, feature: int) -> FeatureVerdict:
    if stage is None:
        return FeatureVerdict(feature=feature, outcome=Outcome.INFRA_ERROR, reason="the stage was not evaluated")
    suite = next((suite for suite in stage.suites if suite.feature == feature), None)
    if suite is not None:
        return FeatureVerdict(feature=feature, outcome=suite.outcome, reason=suite.reason)
    return FeatureVerdict(
        feature=feature, outcome=_OF_STATUS.get(stage.status, Outcome.INFRA_ERROR), reason=_why(stage)
    )


def _why(stage: Stage) -> str:
    if stage.error is not None:
        return stage.error.message
    conflicts = [conflict.path for step in stage.steps for conflict in step.conflicts]
    if conflicts:
        return f"conflict in {conflicts[0]}" + (f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else "")
    rejected = [step.agent_id for step in stage.steps if step.status is StageStatus.REJECTED]
    return f"the patch of {', '.join(rejected)} does not apply" if rejected else ""
