"""Find which of the teammates' hunks break a feature that passes alone.

Delta debugging (Zeller & Hildebrandt 2002, `ddmin`) over the hunks that the merge added to the work of the feature's own member: the
smallest set, in the sense that no single hunk can be spared, whose removal makes the feature's hidden tests pass again.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cooperbench.environments import SandboxLabels
from cooperbench.errors import EvaluationError, RecordError, UsageError
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.evaluator import Patches, evaluation_key
from cooperbench.evaluation.git import GitStore, open_store
from cooperbench.evaluation.merging import merge_members
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.stages import hidden_paths
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import (
    AgentId,
    FeatureId,
    Outcome,
    Record,
    StageStatus,
    cache_dir,
    read_model,
    write_model,
)
from cooperbench.records.hunks import Hunk, join_hunks, split_hunks
from cooperbench.tasks import Task

SUITES = 40
"""Runs of a suite at most: 16 hunks took 9 to 23 in a trial with one or two guilty ones."""


class BreakingHunk(Record):
    """A hunk of the merged work that breaks the feature, alone or with the others."""

    path: str
    authors: tuple[AgentId, ...]
    """The members whose own patch has its lines."""
    patch: str
    """As a patch of its own; bytes that are not UTF-8 are shown as U+FFFD."""


class Bisection(Record):
    """The hunks to remove so that a feature passes again."""

    feature: FeatureId
    stage: str
    hunks: tuple[BreakingHunk, ...]
    candidates: int
    """Hunks that the merge added to the work of the feature's member."""
    suites: int
    """Runs of the feature's hidden tests."""
    complete: bool
    """False if the search ended at its limit of runs: then fewer hunks may suffice."""
    note: str = ""
    """Why there are no hunks."""


def find_breaking_hunks(
    task: Task, features: Sequence[int], submissions: Patches, feature: int, settings: EvaluationSettings
) -> Bisection:
    """Find the smallest set of hunks whose removal makes a feature of a merged group pass.

    The naive merge is searched, and where that conflicts the union. The answer is cached. Raises `UsageError` when there is
    nothing to search (one member, or work that does not apply), and `EvaluationError` when tests cannot be run.
    """
    settings = settings.checked()
    base = base_of(task, settings.backend)
    key = evaluation_key(task, features, [each for each, _ in submissions], base.image_digest, settings.choices)
    path = cache_dir() / "bisections" / f"{hashlib.sha256(f'{key} {feature}'.encode()).hexdigest()[:32]}.json"
    if (known := _read(path)) is not None:
        return known
    labels = SandboxLabels(run="explain", episode=task.key.replace("/", "-"), agent_id="evaluation")
    with open_store(base.store) as store:
        bench = TestBench(task, base, store, settings, labels)
        found = _Search(bench, features, submissions, feature).run()
    if found.complete:
        write_model(path, found)
    return found


def _read(path: Path) -> Bisection | None:
    try:
        return read_model(path, Bisection)
    except (FileNotFoundError, RecordError):
        return None


class _Search:
    """The search for one feature."""

    def __init__(self, bench: TestBench, features: Sequence[int], submissions: Patches, feature: int) -> None:
        self._bench = bench
        self._store = bench.store
        self._feature = feature
        hidden = hidden_paths(bench.task, features)
        trees: dict[str, str] = {}
        for submission, patch in submissions:
            tree = clean_submission(bench.store, bench.base.tree, patch, hidden).tree
            if tree is None:
                raise UsageError(f"the patch of {submission.agent_id} does not apply, so nothing was merged")
            trees[submission.agent_id] = tree
        owners = [each.agent_id for each, _ in submissions if feature in each.features]
        if len(trees) < 2 or not owners:
            raise UsageError(f"no teammate's work was merged with feature {feature}")
        self._own = trees.pop(owners[0])
        self._others = trees
        self.stage, self._merged = self._merge(owners[0])
        difference = _diff(self._store, self._own, self._merged) if self._merged is not None else b""
        self._hunks = split_hunks(difference)
        self.suites = 0

    def _merge(self, owner: str) -> tuple[str, str | None]:
        trees = {owner: self._own, **self._others}
        for stage in ("naive", "union"):
            merged = merge_members(self._store, self._bench.base.tree, trees, union=stage == "union")
            if merged.status is StageStatus.CLEAN:
                return stage, merged.tree
        return "union", None

    def run(self) -> Bisection:
        everything = tuple(range(len(self._hunks)))
        if self._merged is None:
            return self._answer((), note="the work cannot be merged, not even as a union")
        if self._passes(()):
            return self._answer((), note="the feature passes in the merged work")
        if not everything or not self._passes(everything):
            return self._answer((), note="the feature does not pass without the teammates' work either")
        return self._answer(minimize(everything, self._passes))

    def _answer(self, removed: Sequence[int], note: str = "") -> Bisection:
        return Bisection(
            feature=self._feature,
            stage=self.stage,
            hunks=tuple(self._describe(self._hunks[position]) for position in removed),
            candidates=len(self._hunks),
            suites=self.suites,
            complete=self.suites < SUITES,
            note=note,
        )

    def _passes(self, removed: Sequence[int]) -> bool:
        """Tell whether the feature passes without some hunks. A tree that cannot be made, or a run too many, does not count."""
        tree = _apply(self._store, self._own, join_hunks(self._hunks, set(removed)))
        if tree is None or self.suites >= SUITES:
            return False
        self.suites += 1
        self._bench.test([(self._feature, tree)])
        result = self._bench.result(self._feature, tree)
        if result.outcome is Outcome.INFRA_ERROR:
            raise EvaluationError(f"the tests of feature {self._feature} could not be run: {result.reason}")
        return result.outcome is Outcome.PASSED

    def _describe(self, hunk: Hunk) -> BreakingHunk:
        changed = set(hunk.changed)
        authors = [
            agent_id
            for agent_id, tree in self._others.items()
            if any(
                changed & set(other.changed)
                for other in split_hunks(_diff(self._store, self._bench.base.tree, tree))
                if other.path == hunk.path
            )
        ]
        return BreakingHunk(path=hunk.path, authors=tuple(authors), patch=hunk.data.decode("utf-8", "replace"))


def minimize(items: Sequence[int], holds: Callable[[Sequence[int]], bool]) -> tuple[int, ...]:
    """Return a subset for which `holds` is true and of which no single item can be spared. `holds(items)` must be true."""
    current, parts = tuple(items), 2
    while len(current) >= 2:
        size = -(-len(current) // parts)
        chunks = [current[start : start + size] for start in range(0, len(current), size)]
        rests = [tuple(item for item in current if item not in chunk) for chunk in chunks]
        smaller = next((each for each in (*chunks, *(rests if len(chunks) > 2 else ())) if holds(each)), None)
        if smaller is not None:
            parts = 2 if smaller in chunks else max(parts - 1, 2)
            current = smaller
        elif parts >= len(current):
            break
        else:
            parts = min(2 * parts, len(current))
    return current


def _diff(store: GitStore, old: str, new: str) -> bytes:
    # Without context, so that neighbouring changes are hunks of their own.
    return store.check(
        "diff-tree", "-r", "-p", "-U0", "--binary", "--full-index", "--no-renames", "--no-textconv", old, new
    )


def _apply(store: GitStore, tree: str, patch: bytes) -> str | None:
    if not patch:
        return tree
    with store.index(tree) as index:
        output = store.run("apply", "--cached", "--unidiff-zero", "--whitespace=nowarn", "-", stdin=patch, index=index)
        return store.check("write-tree", index=index).decode().strip() if output.code == 0 else None
