"""Making subsets: random pairs, repeatable by a seed."""

import random
from collections.abc import Sequence

from cooperbench.errors import UsageError
from cooperbench.tasks.dataset import discover_groups
from cooperbench.tasks.subsets import Subset, SubsetEntry
from cooperbench.tasks.task import Task


def sample_pairs(tasks: Sequence[Task], *, pairs: int, seed: int, name: str) -> Subset:
    """A subset of `pairs` pairs drawn from all pairs of the tasks, each with the same chance.

    The same tasks, number and seed give the same subset. Raises `UsageError` when there are not that many pairs.
    """
    groups = discover_groups(tasks)
    if not 0 < pairs <= len(groups):
        raise UsageError(f"cannot draw {pairs} pairs: there are {len(groups)}", hint=f"--pairs 1 to {len(groups)}")
    drawn = random.Random(seed).sample(groups, pairs)
    chosen: dict[tuple[str, int], list[tuple[int, ...]]] = {}
    for group in drawn:
        chosen.setdefault((group.task.repo, group.task.task_id), []).append(group.features)
    entries = tuple(
        SubsetEntry(repo=repo, task_id=task_id, pairs=tuple(sorted(chosen[repo, task_id])))
        for repo, task_id in sorted(chosen)
    )
    stats = {"tasks": len(entries), "pairs": pairs, "repos": len({entry.repo for entry in entries})}
    description = f"{pairs} pairs drawn with seed {seed}"
    return Subset(name=name, description=description, stats=stats, tasks=entries)
