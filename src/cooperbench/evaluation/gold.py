"""Describe a task by its gold patches: sizes, language, overlaps, and which pairs conflict.

Conflicts are found by git on the host, without a sandbox: one merge takes a few milliseconds.
"""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import PurePosixPath

from cooperbench.errors import EvaluationError
from cooperbench.evaluation.bases import Base
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.merging import merge_commits
from cooperbench.evaluation.patches import changed_lines, touched_paths
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.records import Conflict, Record
from cooperbench.tasks import Task

_LANGUAGES = {
    ".py": "Python",
    ".go": "Go",
    ".rs": "Rust",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
    ".js": "JavaScript",
    ".jsx": "JavaScript",
    ".java": "Java",
    ".kt": "Kotlin",
    ".c": "C",
    ".cpp": "C++",
    ".rb": "Ruby",
}


class PairConflict(Record):
    """The conflicts between the gold patches of two features."""

    features: tuple[int, int]
    conflicts: tuple[Conflict, ...]

    @property
    def clean(self) -> bool:
        """True if they merge without conflict."""
        return not self.conflicts


class TaskStatistics(Record):
    """A task in numbers."""

    repo: str
    task_id: int
    features: tuple[int, ...]
    language: str
    gold_lines: dict[int, int]
    """Added plus removed lines of each gold patch."""
    pairs: int
    pairs_sharing_files: int
    """Pairs whose gold patches touch a file in common."""
    pairs_conflicting: int | None = None
    """`None` if there was no base to merge on."""


def task_statistics(task: Task, conflicts: Sequence[PairConflict] | None = None) -> TaskStatistics:
    """Count lines and pairs of a task. `conflicts` come from `gold_conflicts`, if known."""
    touched = {number: touched_paths(feature.gold_patch) for number, feature in task.features.items()}
    pairs = list(combinations(task.features, 2))
    return TaskStatistics(
        repo=task.repo,
        task_id=task.task_id,
        features=tuple(task.features),
        language=task_language(task),
        gold_lines={number: changed_lines(feature.gold_patch) for number, feature in task.features.items()},
        pairs=len(pairs),
        pairs_sharing_files=sum(bool(touched[first] & touched[second]) for first, second in pairs),
        pairs_conflicting=None if conflicts is None else sum(not pair.clean for pair in conflicts),
    )


def task_language(task: Task) -> str:
    """Return the language of most files of the gold patches."""
    paths = [path for feature in task.features.values() for path in touched_paths(feature.gold_patch)]
    languages = Counter(_LANGUAGES.get(PurePosixPath(path).suffix, "") for path in paths)
    del languages[""]
    return languages.most_common(1)[0][0] if languages else "other"


def gold_conflicts(task: Task, base: Base) -> list[PairConflict]:
    """Merge the gold patches of every pair of features. Raises `EvaluationError` when one does not apply."""
    with open_store(base.store) as store:
        base = base.checked_in(store)
        root = store.commit(base.tree)
        commits: dict[int, str] = {}
        for number, feature in task.features.items():
            tree = apply_exactly(store, base.tree, feature.gold_patch)
            if tree is None:
                raise EvaluationError(
                    f"the gold patch of feature {number} does not apply", subject=str(feature.path / "feature.patch")
                )
            commits[number] = store.commit(tree, root)

        def merge(pair: tuple[int, int]) -> PairConflict:
            _, conflicts = merge_commits(store, commits[pair[0]], commits[pair[1]])
            return PairConflict(features=pair, conflicts=conflicts)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return list(pool.map(merge, combinations(task.features, 2)))
