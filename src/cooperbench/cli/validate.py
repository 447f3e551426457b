"""`cooperbench tasks validate`."""

from typing import TYPE_CHECKING, NamedTuple

import click

from cooperbench.cli.options import TaskFilter, json_option, parse_features, task_filters
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from cooperbench.evaluation import FeatureValidation, GroupValidation, TaskValidation
    from cooperbench.tasks import Group, Task

backend_option = click.option(
    "--backend", help="Backend that runs the sandboxes.  [default: local for bundled tasks, else docker]"
)


def task_backend(task: "Task", given: str | None) -> str:
    """Return the backend for a task: the given one, or its default."""
    from cooperbench.environments import default_backend

    return given or default_backend(bundled=task.recipe.bundled)


@click.command("validate")
@task_filters
@click.option("-f", "--features", help="Only these features, such as 1,2.")
@click.option("-k", "repetitions", type=click.IntRange(1), default=1, show_default=True, help="Runs per gold patch.")
@click.option("--group", is_flag=True, help="Also check that each pair, or the group of -f, can be solved together.")
@backend_option
@click.option(
    "--time-limit", type=float, default=900.0, show_default=True, help="Time limit of a test suite, in seconds."
)
@json_option
def validate_command(
    selected: TaskFilter,
    features: str | None,
    repetitions: int,
    group: bool,
    backend: str | None,
    time_limit: float,
    as_json: bool,
) -> int:
    """Check that every feature's tests fail on the base and pass with its gold patch. If not, the exit code is 1.

    Says each feature that is done. After an interrupt the same command goes on with the others.
    """
    from cooperbench.cli.task_tables import show_groups, show_validation
    from cooperbench.tasks import discover_groups

    tasks = selected.find()
    chosen = parse_features(features)
    groups: list[Group] = []
    if chosen or group:
        groups = discover_groups(tasks, features=chosen, subset=selected.subset if group else None)
    if chosen is not None:
        tasks = [each.task for each in groups]
    check = _Check(repetitions, chosen, backend, time_limit)
    found = []
    for task in tasks:
        validation, solved = check.run(task, _of(task, groups) if group else [])
        found.append((validation, solved))
        if not as_json:
            show_validation(validation)
            show_groups(solved)
    ok = all(validation.ok and all(each.ok for each in solved) for validation, solved in found)
    if as_json:
        print_json([_facts(validation, solved, group=group) for validation, solved in found])
    elif ok:
        _lead_on(found[0][0], selected, backend)
    return 0 if ok else 1


class _Check(NamedTuple):
    """What was asked for."""

    repetitions: int
    features: tuple[int, ...] | None
    backend: str | None
    time_limit: float

    def run(self, task: "Task", groups: list[tuple[int, ...]]) -> "tuple[TaskValidation, tuple[GroupValidation, ...]]":
        """Validate the features of a task one by one, then groups of them."""
        from cooperbench.cli.task_tables import validated
        from cooperbench.evaluation import validate_groups, validate_task

        wanted = self.features or tuple(task.features)
        done: list[int] = []

        def finished(feature: "FeatureValidation") -> None:
            done.append(feature.feature)
            click.echo(validated(feature), err=True)

        def kept(feature: "FeatureValidation") -> None:
            done.append(feature.feature)
            click.echo(f"{validated(feature)} (kept from the check that was interrupted)", err=True)

        click.echo(f"validating {task.key}: {counted(len(wanted), 'feature')}", err=True)
        try:
            validation = validate_task(
                task,
                backend=task_backend(task, self.backend),
                repetitions=self.repetitions,
                features=self.features,
                time_limit=self.time_limit,
                finished=finished,
                kept=kept,
            )
        except KeyboardInterrupt:
            said = f"{len(done)} of {counted(len(wanted), 'feature')} of {task.key} done; the same command goes on with the others"
            click.echo(f"interrupted: {said}", err=True)
            raise
        return validation, validate_groups(task, groups, validation, time_limit=self.time_limit) if groups else ()


def _of(task: "Task", groups: "list[Group]") -> list[tuple[int, ...]]:
    return [group.features for group in groups if group.task is task]


def _facts(validation: "TaskValidation", groups: "tuple[GroupValidation, ...]", *, group: bool) -> dict[str, object]:
    facts = validation.model_dump(mode="json") | {"ok": validation.ok and all(each.ok for each in groups)}
    if group:
        facts["groups"] = [each.model_dump(mode="json") | {"ok": each.ok} for each in groups]
    return facts


def _lead_on(first: "TaskValidation", selected: TaskFilter, backend: str | None) -> None:
    given = f" -s {selected.subset}" if selected.subset else ""
    place = f" --backend {backend}" if backend else ""
    command = f"cooperbench run -r {first.repo} -t {first.task_id} -a gold{given}{place}"
    print_next(command, dataset_dir=selected.dataset_dir)
