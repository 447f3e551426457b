"""Policies: which merge stage decides, read from stages that are evaluated and stored once.

A policy is one entry of `POLICIES`: its stages in order, each with the condition under which that stage decides. The first stage
whose condition holds decides. A stage that is not stored has to be evaluated before anything is said about it.
Changing a policy means a new entry under a new number; `@1` stays what it is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import FeatureVerdict, Outcome, Stage, StageStatus, Verdict

DEFAULT_POLICY = "naive@1"

NAIVE, UNION, RESOLVER = "naive", "union", "resolver"


def always(stage: Stage) -> bool:
    """Let a stage decide whatever came of it."""
    return True


def merges(stage: Stage) -> bool:
    """Let a stage decide unless the members' work conflicts."""
    return stage.status is not StageStatus.CONFLICT


def passes(stage: Stage) -> bool:
    """Let a stage decide if its tests ran and passed."""
    return bool(stage.suites) and all(suite.outcome is Outcome.PASSED for suite in stage.suites)


@dataclass(frozen=True)
class Policy:
    """The merge stages that are asked in turn, each with the condition under which it decides."""

    stages: Mapping[str, Callable[[Stage], bool]]

    def deciding(self, stages: Iterable[Stage]) -> tuple[str, Stage | None]:
        """Return the name of the deciding stage, and the stage, or `None` if it has not been evaluated.

        A missing stage counts as the deciding one, since nobody knows whether it would be.
        """
        known = {stage.name: stage for stage in stages}
        name = ""
        for name, decides in self.stages.items():
            if name not in known or decides(known[name]):
                break
        return name, known.get(name)


POLICIES: dict[str, Policy] = {
    "naive@1": Policy({NAIVE: always}),
    "union@1": Policy({NAIVE: merges, UNION: always}),
    "cascade@1": Policy({NAIVE: merges, UNION: passes, RESOLVER: always}),
}

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
    Outcome.FORCED,
    Outcome.TESTS_FAILED,
    Outcome.PASSED,
)


def resolve_policy(name: str) -> str:
    """Return the full name of a policy; without a version the newest one. Raises `UnknownNameError`."""
    matching = [known for known in POLICIES if name in (known, known.split("@")[0])]
    if not matching:
        raise UnknownNameError("policy", name, POLICIES)
    return max(matching, key=lambda known: int(known.split("@")[1]))


def check_policy(policy: str, *, resolver: bool) -> str:
    """Return the full name of a policy that can be applied. Raises `UsageError` if it needs a resolver and there is none."""
    name = resolve_policy(policy)
    if RESOLVER in POLICIES[name].stages and not resolver:
        raise UsageError(
            f"policy {name} needs a model that settles conflicts, and none is configured",
            subject=name,
            hint="--resolver-model MODEL (in Python: resolver=), or --policy union",
        )
    return name


def missing_stage(policy: str, stages: Iterable[Stage]) -> str | None:
    """Return the stage that has to be evaluated before a policy can be applied, or `None` if nothing is missing."""
    name, stage = POLICIES[resolve_policy(policy)].deciding(stages)
    return name if stage is None else None


def apply_policy(policy: str, stages: Iterable[Stage], features: Sequence[int]) -> Verdict:
    """Return the verdict of a policy, an `infra_error` if a stage is missing. Executes nothing."""
    policy = resolve_policy(policy)
    name, stage = POLICIES[policy].deciding(stages)
    verdicts = tuple(_feature_verdict(name, stage, feature) for feature in features)
    outcome = next(outcome for outcome in _PRECEDENCE if any(verdict.outcome is outcome for verdict in verdicts))
    return Verdict(policy=policy, stage=stage.name if stage else None, outcome=outcome, features=verdicts)


def _feature_verdict(name: str, stage: Stage | None, feature: int) -> FeatureVerdict:
    if stage is None:
        reason = f"the stage {name} was not evaluated"
        return FeatureVerdict(feature=feature, outcome=Outcome.INFRA_ERROR, reason=reason)
    suite = next((suite for suite in stage.suites if suite.feature == feature), None)
    if suite is not None:
        return FeatureVerdict(feature=feature, outcome=suite.outcome, reason=suite.reason, tests=suite.failed)
    conflicts = [conflict.path for step in stage.steps for conflict in step.conflicts]
    to_blame = (StageStatus.REJECTED, StageStatus.EMPTY)
    return FeatureVerdict(
        feature=feature,
        outcome=_OF_STATUS.get(stage.status, Outcome.INFRA_ERROR),
        reason=_why(stage),
        paths=tuple(conflicts) if stage.status is StageStatus.CONFLICT else (),
        agents=tuple(step.agent_id for step in stage.steps if step.status in to_blame and stage.status in to_blame),
    )


def _why(stage: Stage) -> str:
    if stage.error is not None:
        return stage.error.message
    conflicts = [conflict.path for step in stage.steps for conflict in step.conflicts]
    if conflicts:
        return f"conflict in {conflicts[0]}" + (f" and {len(conflicts) - 1} more" if len(conflicts) > 1 else "")
    rejected = [step.agent_id for step in stage.steps if step.status is StageStatus.REJECTED]
    return f"the patch of {', '.join(rejected)} does not apply" if rejected else ""
