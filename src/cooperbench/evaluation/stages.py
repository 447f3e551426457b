"""Evaluate all merge stages of one group of submissions: clean, merge, test once, store whole.

Which stage counts is for the policies to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cooperbench.errors import ModelError
from cooperbench.evaluation.configuration import holds_unit_tests
from cooperbench.evaluation.merging import Merged, merge_members, natural_order
from cooperbench.evaluation.patches import touched_paths
from cooperbench.evaluation.policies import NAIVE, RESOLVER, UNION, missing_stage
from cooperbench.evaluation.resolver import Resolver, settle_with
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import (
    DroppedPath,
    Failure,
    MergeStep,
    Outcome,
    Stage,
    StageStatus,
    Submission,
    SuiteResult,
    utc_now,
)
from cooperbench.tasks import Task


@dataclass
class StagedEvaluation:
    """All stages, and what belongs to them."""

    stages: list[Stage] = field(default_factory=list)
    dropped: list[DroppedPath] = field(default_factory=list)
    recounted: list[str] = field(default_factory=list)
    merged: dict[str, bytes] = field(default_factory=dict)
    """The merged patch of each stage, with conflict markers where it conflicts."""


def evaluate_stages(
    bench: TestBench,
    features: Sequence[int],
    submissions: Sequence[tuple[Submission, bytes]],
    policies: Iterable[str] = (),
) -> StagedEvaluation:
    """Clean, merge and test submissions, each given with its patch.

    The resolver of the bench's settings is asked only if one of `policies` cannot do without it.
    On the host git reads and merges; nothing of a submission runs there.
    """
    stager = _Stager(bench, features, submissions)
    naive = stager.merge()
    union = stager.merge(union=True) if naive.status is StageStatus.CONFLICT else naive
    alone = stager.suites_alone()
    bench.test(
        [*stager.suites(naive), *stager.suites(union)], alone=[suite for suites in alone.values() for suite in suites]
    )
    stager.add(NAIVE, naive)
    stager.add(UNION, union)
    resolver = bench.settings.resolver
    if resolver is not None and any(missing_stage(policy, stager.found.stages) == RESOLVER for policy in policies):
        stager.resolve(resolver)
    for agent_id, suites in alone.items():
        stager.add_alone(agent_id, suites)
    return stager.found


def hidden_paths(task: Task, features: Sequence[int]) -> frozenset[str]:
    """Return what the hidden tests write and submissions may not.

    A file that a gold patch changes too is part of the work. So is a source that holds its unit tests: only those are put back.
    """
    tests = {path for number in features for path in touched_paths(task.features[number].tests_patch)}
    gold = {path for number in features for path in touched_paths(task.features[number].gold_patch)}
    return frozenset(path for path in tests if path not in gold or holds_unit_tests(path))


class _Stager:
    """Makes the stages of one group of submissions."""

    def __init__(
        self, bench: TestBench, features: Sequence[int], submissions: Sequence[tuple[Submission, bytes]]
    ) -> None:
        self._bench = bench
        self._features = features
        self._submissions = sorted(
            (submission for submission, _ in submissions), key=lambda s: natural_order(s.agent_id)
        )
        hidden, recount = hidden_paths(bench.task, features), bench.settings.choices.recount
        surroundings = bench.surroundings(features)
        patches = {submission.agent_id: patch for submission, patch in submissions}
        self._clean = {
            submission.agent_id: clean_submission(
                bench.store,
                bench.base.tree,
                patches[submission.agent_id],
                hidden,
                recount=recount,
                surroundings=surroundings,
            )
            for submission in self._submissions
        }
        self.found = StagedEvaluation(
            dropped=[
                DroppedPath(
                    agent_id=agent_id, path=_readable(path), reason=reason.text, rule=reason.rule, action=action
                )
                for agent_id, clean in self._clean.items()
                for path, reason, action in clean.dropped
            ],
            recounted=[agent_id for agent_id, clean in self._clean.items() if clean.recounted],
        )
        self._trees = {agent_id: clean.tree for agent_id, clean in self._clean.items() if clean.tree is not None}

    def merge(self, *, union: bool = False, resolver: Resolver | None = None) -> Merged:
        """Merge all submissions. A patch that does not apply ends the merge before it begins: it is not an empty one."""
        if len(self._trees) == len(self._clean):
            store, started_at = self._bench.store, utc_now()
            settle = settle_with(resolver, store) if resolver else None
            merged = merge_members(store, self._bench.base.tree, self._trees, union=union, settle=settle)
            return replace(merged, started_at=started_at, ended_at=utc_now())
        steps = tuple(
            MergeStep(
                agent_id=agent_id,
                status=StageStatus.REJECTED if clean.tree is None else StageStatus.NOT_RUN,
                reason=clean.reason,
            )
            for agent_id, clean in self._clean.items()
        )
        return Merged(StageStatus.REJECTED, None, steps)

    def suites(self, merged: Merged) -> list[tuple[int, str]]:
        """List the suites of a merge, as feature and tree."""
        if merged.status is not StageStatus.CLEAN or merged.tree is None:
            return []
        return [(feature, merged.tree) for feature in self._features]

    def suites_alone(self) -> dict[str, list[tuple[int, str]]]:
        """List the suites that run on each member's work alone. One member alone is the merge already."""
        singles = self._bench.settings.choices.singles
        if singles == "none" or len(self._submissions) < 2:
            return {}
        return {
            submission.agent_id: [
                (feature, tree) for feature in (self._features if singles == "all" else submission.features)
            ]
            for submission in self._submissions
            if (tree := self._trees.get(submission.agent_id, self._bench.base.tree)) != self._bench.base.tree
        }

    def add(self, name: str, merged: Merged, resolver: str | None = None) -> None:
        """Add a merge stage whose suites were tested."""
        if merged.tree is not None:
            self.found.merged[name] = self._bench.store.diff(self._bench.base.tree, merged.tree)
        results = tuple(self._result(feature, tree) for feature, tree in self.suites(merged))
        self.found.stages.append(
            Stage(
                name=name,
                status=merged.status,
                steps=merged.steps,
                tree=merged.tree,
                suites=results,
                started_at=merged.started_at,
                ended_at=merged.ended_at,
                same_as=self._tested_as(merged.tree) if results else None,
                resolver=resolver,
            )
        )

    def _tested_as(self, tree: str | None) -> str | None:
        """Return the first stage that has this tree."""
        return next((stage.name for stage in self.found.stages if stage.tree == tree and stage.suites), None)

    def _result(self, feature: int, tree: str) -> SuiteResult:
        result = self._bench.result(feature, tree)
        base = self._bench.base.tree
        idle = any(
            feature in submission.features and self._trees.get(submission.agent_id, base) == base
            for submission in self._submissions
        )
        if idle and result.outcome is Outcome.TESTS_FAILED:
            return result.model_copy(update={"outcome": Outcome.NO_PATCH, "reason": "its member submitted nothing"})
        return result

    def resolve(self, resolver: Resolver) -> None:
        """Merge with the model. If it fails, so does this stage; what git alone merged stays."""
        try:
            merged = self.merge(resolver=resolver)
        except ModelError as error:
            stage = Stage(name=RESOLVER, status=StageStatus.ERROR, resolver=resolver.name, error=Failure.of(error))
            self.found.stages.append(stage)
            return
        self._bench.test(self.suites(merged))
        self.add(RESOLVER, merged, resolver.name)

    def add_alone(self, agent_id: str, suites: Sequence[tuple[int, str]]) -> None:
        """Add the stage of one member's work alone."""
        step = MergeStep(agent_id=agent_id, status=StageStatus.CLEAN)
        results = tuple(self._bench.result(*suite) for suite in suites)
        stage = Stage(
            name=f"single:{agent_id}",
            status=StageStatus.CLEAN,
            steps=(step,),
            tree=self._trees[agent_id],
            suites=results,
            same_as=self._tested_as(self._trees[agent_id]),
        )
        self.found.stages.append(stage)


def _readable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
