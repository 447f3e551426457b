"""All merge stages of one group of submissions: cleaned, merged, tested once, stored whole.

Which stage counts is a policy's business (`policies`); nothing here knows about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cooperbench.errors import ModelError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.git import GitStore
from cooperbench.evaluation.merging import MemberTree, Merged, merge_members, natural_order
from cooperbench.evaluation.patches import touched_paths
from cooperbench.evaluation.policies import NAIVE, RESOLVER, UNION
from cooperbench.evaluation.resolver import Resolver, settle_with
from cooperbench.evaluation.sanitize import CleanSubmission, clean_submission
from cooperbench.evaluation.testbench import TestBench
from cooperbench.evaluation.unit_tests import holds_unit_tests
from cooperbench.records import (
    DroppedPath,
    EvaluationChoices,
    Failure,
    MergeStep,
    Outcome,
    Singles,
    Stage,
    StageStatus,
    SuiteResult,
)
from cooperbench.tasks import Task


@dataclass(frozen=True)
class Contribution:
    """What one member handed in."""

    agent_id: str
    features: tuple[int, ...]
    patch: bytes


@dataclass
class StagedEvaluation:
    """Every stage, and what belongs to it."""

    stages: list[Stage] = field(default_factory=list)
    dropped: list[DroppedPath] = field(default_factory=list)
    recounted: list[str] = field(default_factory=list)
    merged: dict[str, bytes] = field(default_factory=dict)
    """The merged patch of each stage, with conflict markers where it conflicts."""


def evaluate_stages(
    task: Task,
    features: Sequence[int],
    contributions: Sequence[Contribution],
    *,
    base: Base,
    store: GitStore,
    bench: TestBench,
    choices: EvaluationChoices,
    resolver: Resolver | None = None,
) -> StagedEvaluation:
    """Clean, merge and test; git and the file system of the host are used for reading and merging only."""
    found = StagedEvaluation()
    ordered = sorted(contributions, key=lambda c: natural_order(c.agent_id))
    hidden = hidden_paths(task, features)
    cleaned = {
        c.agent_id: clean_submission(store, base.tree, c.patch, hidden, recount=choices.recount) for c in ordered
    }
    _note_cleaning(found, cleaned)
    members = [MemberTree(c.agent_id, tree) for c in ordered if (tree := cleaned[c.agent_id].tree) is not None]
    suites_of = _single_suites(ordered, cleaned, base, features, choices.singles)
    without_work = frozenset(
        number for c in ordered if cleaned[c.agent_id].tree in (None, base.tree) for number in c.features
    )
    stager = _Stager(found, store, base, bench, tuple(features), without_work)
    if len(members) < len(ordered):
        bench.test(suite for suites in suites_of.values() for suite in suites)
        _add_rejected(found, ordered, cleaned)
    else:
        naive = merge_members(store, base.tree, members)
        union = merge_members(store, base.tree, members, union=True) if naive.status is StageStatus.CONFLICT else naive
        bench.test(
            [*stager.suites(naive), *stager.suites(union), *(s for suites in suites_of.values() for s in suites)]
        )
        stager.add(NAIVE, naive)
        stager.add(UNION, union)
        if resolver is not None and naive.status is StageStatus.CONFLICT and not stager.passes(union):
            stager.resolve(members, resolver)
    _add_singles(found, suites_of, cleaned, bench)
    return found


def hidden_paths(task: Task, features: Sequence[int]) -> frozenset[str]:
    """What the hidden tests write, and submissions may not.

    A file that a gold patch changes too is part of the work. So is a source that holds its unit tests: only those are put back.
    """
    tests = {path for number in features for path in touched_paths(task.features[number].tests_patch)}
    gold = {path for number in features for path in touched_paths(task.features[number].gold_patch)}
    return frozenset(path for path in tests if path not in gold or holds_unit_tests(path))


@dataclass
class _Stager:
    """Turns merges into stages."""

    found: StagedEvaluation
    store: GitStore
    base: Base
    bench: TestBench
    features: tuple[int, ...]
    without_work: frozenset[int]

    def suites(self, merged: Merged) -> list[tuple[int, str]]:
        clean = merged.status is StageStatus.CLEAN and merged.tree is not None
        return [(feature, str(merged.tree)) for feature in self.features] if clean else []

    def results(self, merged: Merged) -> tuple[SuiteResult, ...]:
        return tuple(self._result(feature, tree) for feature, tree in self.suites(merged))

    def _result(self, feature: int, tree: str) -> SuiteResult:
        result = self.bench.result(feature, tree)
        if feature in self.without_work and result.outcome is Outcome.TESTS_FAILED:
            return result.model_copy(update={"outcome": Outcome.NO_PATCH, "reason": "its member handed in nothing"})
        return result

    def passes(self, merged: Merged) -> bool:
        results = self.results(merged)
        return bool(results) and all(result.outcome is Outcome.PASSED for result in results)

    def add(self, name: str, merged: Merged, resolver: str | None = None) -> None:
        if merged.tree is not None:
            self.found.merged[name] = self.store.diff(self.base.tree, merged.tree)
        stage = Stage(
            name=name,
            status=merged.status,
            steps=merged.steps,
            tree=merged.tree,
            suites=self.results(merged),
            resolver=resolver,
        )
        self.found.stages.append(stage)

    def resolve(self, members: Sequence[MemberTree], resolver: Resolver) -> None:
        """Merge with the model. One that fails is this stage's failure: what git alone came to stays."""
        try:
            resolved = merge_members(self.store, self.base.tree, members, settle=settle_with(resolver, self.store))
        except ModelError as error:
            failure = Failure.of(error)
            stage = Stage(name=RESOLVER, status=StageStatus.ERROR, resolver=resolver.name, error=failure)
            self.found.stages.append(stage)
            return
        self.bench.test(self.suites(resolved))
        self.add(RESOLVER, resolved, resolver.name)


def _note_cleaning(found: StagedEvaluation, cleaned: Mapping[str, CleanSubmission]) -> None:
    for agent_id, submission in cleaned.items():
        for path, reason in submission.dropped:
            readable = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            found.dropped.append(DroppedPath(agent_id=agent_id, path=readable, reason=reason))
        if submission.recounted:
            found.recounted.append(agent_id)


def _single_suites(
    contributions: Sequence[Contribution],
    cleaned: Mapping[str, CleanSubmission],
    base: Base,
    features: Sequence[int],
    singles: Singles,
) -> dict[str, list[tuple[int, str]]]:
    """The suites that run on each member's work alone. One member alone is the merge already."""
    if singles == "none" or len(contributions) < 2:
        return {}
    suites = {}
    for contribution in contributions:
        tree = cleaned[contribution.agent_id].tree
        wanted = features if singles == "all" else contribution.features
        if tree is not None and tree != base.tree:
            suites[contribution.agent_id] = [(feature, tree) for feature in wanted]
    return suites


def _add_singles(
    found: StagedEvaluation,
    suites_of: Mapping[str, list[tuple[int, str]]],
    cleaned: Mapping[str, CleanSubmission],
    bench: TestBench,
) -> None:
    for agent_id, suites in suites_of.items():
        results = tuple(bench.result(*suite) for suite in suites)
        step = MergeStep(agent_id=agent_id, status=StageStatus.CLEAN)
        tree = cleaned[agent_id].tree
        found.stages.append(
            Stage(name=f"single:{agent_id}", status=StageStatus.CLEAN, steps=(step,), tree=tree, suites=results)
        )


def _add_rejected(
    found: StagedEvaluation, contributions: Sequence[Contribution], cleaned: Mapping[str, CleanSubmission]
) -> None:
    """A patch that does not apply ends the merge before it begins; nobody may take it for an empty one."""
    steps = tuple(
        MergeStep(
            agent_id=c.agent_id,
            status=StageStatus.REJECTED if cleaned[c.agent_id].tree is None else StageStatus.NOT_RUN,
            reason=cleaned[c.agent_id].reason,
        )
        for c in contributions
    )
    for name in (NAIVE, UNION):
        found.stages.append(Stage(name=name, status=StageStatus.REJECTED, steps=steps))
