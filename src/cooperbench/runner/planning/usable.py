"""Leave out the groups that no run can judge: a feature that was not written yet, or a patch that git cannot read.

Its mistake costs a feature the groups that it is in, and nothing else.
"""

from typing import NamedTuple

from cooperbench._git import Git
from cooperbench.errors import TaskError
from cooperbench.tasks import Feature, Group, Task

_GIT = Git(TaskError)


class UsableGroups(NamedTuple):
    """The groups that can be judged, and a line for each feature or task that cannot."""

    groups: list[Group]
    """All of them when none can be judged, which `preview` refuses: what a run would do can be looked at before."""
    left_out: tuple[str, ...]
    none_left: bool


def usable_groups(groups: list[Group]) -> UsableGroups:
    """Sort out the groups that cannot be judged."""
    faults: dict[str, str] = {}
    for task in {group.task.key: group.task for group in groups}.values():
        if fault := _task_fault(task):
            faults[task.key] = fault
            continue
        for number in sorted({number for group in groups if group.task is task for number in group.features}):
            if fault := _feature_fault(task.features[number]):
                faults[f"{task.key}, feature{number}"] = fault
    usable = [group for group in groups if not any(name in faults for name in _names(group))]
    left_out = tuple(f"{name}: {fault}" for name, fault in faults.items())
    return UsableGroups(usable or groups, left_out, not usable)


def _names(group: Group) -> list[str]:
    return [group.task.key, *(f"{group.task.key}, feature{number}" for number in group.features)]


def _task_fault(task: Task) -> str | None:
    try:
        return None if task.runner.strip() else "runner.sh is empty"
    except TaskError as error:
        return error.message


def _feature_fault(feature: Feature) -> str | None:
    try:
        if not feature.description.strip():
            return "feature.md is empty"
        patches = {"feature.patch": feature.gold_patch, "tests.patch": feature.tests_patch}
    except TaskError as error:
        return error.message
    for name, patch in patches.items():
        if not patch.strip():
            return f"{name} is empty"
        parsed = _GIT.run("apply", "--numstat", "-", stdin=patch, check=False)
        if parsed.code:
            return f"{name} is not a patch that git can read: {parsed.stderr.removeprefix('error: ')}"
    return None
