"""Validate groups of features: some team could pass, and how much their gold patches conflict."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from typing import Literal

from cooperbench.errors import CooperBenchError
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.gold import gold_conflicts
from cooperbench.evaluation.scoring import ScoreRequest, score_many
from cooperbench.evaluation.validation import TaskValidation
from cooperbench.records import TIME_LIMIT, Evaluation, Install, Outcome, Record
from cooperbench.tasks import Task

Solution = Literal["combined.patch", "git", "union"]


class GroupValidation(Record):
    """One group of features of a task."""

    features: tuple[int, ...]
    solved_by: Solution | None = None
    """What passes the hidden tests of all: the task's `combined.patch`, or the gold patches as git or as the union merges them."""
    conflicts: int = 0
    """Pairs in the group whose gold patches conflict."""
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True if the group can be solved."""
        return self.solved_by is not None


def validate_groups(
    task: Task,
    groups: Sequence[tuple[int, ...]],
    validation: TaskValidation,
    *,
    time_limit: float = TIME_LIMIT,
    install: Install = "once",
) -> tuple[GroupValidation, ...]:
    """Check that each group can be solved. `validation` is that of the task, on the same backend, with all features of the groups.

    What `combined.patch` solves needs no more tests. Groups with a feature that cannot be used alone are not tried. Raises the classes
    below `SandboxError` if the base cannot be read.
    """
    checked = {feature.feature: feature for feature in validation.features}
    faulty = {number for number, feature in checked.items() if not (feature.passes_on_gold and feature.fails_on_base)}
    try:
        conflicts = {p.features for p in gold_conflicts(task, base_of(task, validation.backend)) if not p.clean}
    except CooperBenchError as error:
        return tuple(GroupValidation(features=group, problem=str(error)) for group in groups)
    found: dict[tuple[int, ...], GroupValidation] = {}
    for group in groups:
        pairs = sum(pair in conflicts for pair in combinations(sorted(group), 2))
        found[group] = GroupValidation(features=group, conflicts=pairs)
        if bad := sorted(faulty & set(group)):
            found[group] = found[group].model_copy(update={"problem": f"feature {bad[0]} cannot be used alone"})
        elif all(checked[number].passes_combined for number in group):
            found[group] = found[group].model_copy(update={"solved_by": "combined.patch"})
    open_groups = [group for group in groups if not found[group].ok and not found[group].problem]
    for group, evaluation in _merged(task, open_groups, validation.backend, time_limit, install):
        found[group] = found[group].model_copy(update=_conclude(evaluation))
    return tuple(found[group] for group in groups)


def _merged(
    task: Task, groups: Collection[tuple[int, ...]], backend: str, time_limit: float, install: Install
) -> Iterator[tuple[tuple[int, ...], Evaluation]]:
    """Test the merge of each group's gold patches."""
    ordered = list(groups)
    requests = [ScoreRequest(task, {number: task.features[number].gold_patch for number in group}) for group in ordered]
    for scored in score_many(
        requests, backend=backend, policy="union", time_limit=time_limit, falsify="off", install=install
    ):
        yield ordered[scored.position], scored.evaluation


def _conclude(evaluation: Evaluation) -> dict[str, object]:
    verdict = evaluation.verdict
    if verdict.passed:
        return {"solved_by": "union" if verdict.stage == "union" else "git"}
    if verdict.outcome is Outcome.MERGE_CONFLICT:
        return {"problem": "the gold patches conflict, and no combined.patch holds both"}
    failed = [item for item in verdict.features if item.outcome is not Outcome.PASSED]
    reason = f": {failed[0].reason}" if failed and failed[0].reason else ""
    which = f"feature {failed[0].feature} fails" if failed else f"{verdict.outcome}"
    return {"problem": f"{which} when the gold patches are merged{reason}"}
