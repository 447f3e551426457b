"""Choose the episodes of a run: how many groups, and how often each."""

import hashlib
from collections.abc import Sequence

from cooperbench.errors import UsageError
from cooperbench.records import GroupKey
from cooperbench.tasks import Group, Task


def choose_episodes(
    groups: Sequence[Group], *, limit: int | None, repeats: int, seed: int | None
) -> list[tuple[GroupKey, Task]]:
    """List the episodes with their tasks: all first repeats, then all second ones, in the order of `groups`.

    `limit` takes the first groups of an order that depends on `seed` alone, so more of them contain fewer. Raises `UsageError`
    for numbers below 1.
    """
    for name, number in (("limit", limit), ("repeats", repeats)):
        if number is not None and number < 1:
            raise UsageError(f"{name} must be at least 1, but is {number}", subject=name)
    chosen = {group.key for group in sorted(groups, key=lambda group: _draw(group, seed))[:limit]}
    return [
        (GroupKey(repo=group.task.repo, task_id=group.task.task_id, features=group.features, repeat=repeat), group.task)
        for repeat in range(1, repeats + 1)
        for group in groups
        if group.key in chosen
    ]


def _draw(group: Group, seed: int | None) -> bytes:
    # A digest, not `random.shuffle`: a group's place does not depend on which other groups there are.
    return hashlib.sha256(f"{seed or 0}/{group.key}".encode()).digest()
