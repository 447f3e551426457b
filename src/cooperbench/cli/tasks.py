"""`cooperbench tasks`: list, show, measure, sample, validate, create and exchange tasks."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import (
    ClonePath,
    TaskFilter,
    dataset_option,
    json_option,
    parse_features,
    repo_option,
    subset_option,
    task_filters,
)
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.task_formats import export_command, import_command
from cooperbench.cli.typed import print_next
from cooperbench.cli.validate import backend_option, task_backend, validate_command

if TYPE_CHECKING:
    from cooperbench.evaluation import PairConflict
    from cooperbench.tasks import Task


@click.group("tasks")
def command() -> None:
    """List, show, validate, create and exchange tasks."""


for subcommand in (export_command, import_command, validate_command):
    command.add_command(subcommand)


@command.command("list")
@task_filters
@json_option
def list_tasks(selected: TaskFilter, as_json: bool) -> None:
    """List the tasks of a dataset."""
    from cooperbench.cli.task_tables import table
    from cooperbench.evaluation import task_language
    from cooperbench.tasks import discover_groups

    tasks = selected.find()
    groups = discover_groups(tasks, subset=selected.subset)
    rows = [
        {
            "task": task.key,
            "language": task_language(task),
            "features": list(task.features),
            "pairs": sum(group.task is task for group in groups),
            "image": task.image,
        }
        for task in tasks
    ]
    if as_json:
        print_json(rows)
        return
    table(
        ("task", "language", "features", "pairs", "image"),
        [
            (row["task"], row["language"], len(task.features), row["pairs"], row["image"])
            for row, task in zip(rows, tasks, strict=True)
        ],
    )
    click.echo(f"{counted(len(tasks), 'task')}, {counted(len(groups), 'pair')}")


@command.command("show")
@click.argument("task")
@click.option("-f", "--features", help="Also print the descriptions of these features, such as 1,2.")
@subset_option
@dataset_option
@json_option
def show_task(task: str, features: str | None, subset: str | None, dataset_dir: Path | None, as_json: bool) -> None:
    """Show TASK, given as repo/task_id as in `tasks list`."""
    from cooperbench.errors import UnknownNameError
    from cooperbench.evaluation import task_statistics
    from cooperbench.tasks import find_task

    found = find_task(task, dataset_dir, subset)
    chosen = parse_features(features) or ()
    for wanted in chosen:
        if wanted not in found.features:
            raise UnknownNameError("feature", wanted, found.features)
    statistics = task_statistics(found)
    if as_json:
        facts = statistics.model_dump(mode="json") | {
            "path": str(found.path),
            "image": found.image,
            "revision": found.revision,
            "base_commit": found.recipe.base_commit,
            "descriptions": {number: found.features[number].description for number in chosen or found.features},
        }
        print_json(facts)
        return
    for label, value in (
        ("task", found.key),
        ("language", statistics.language),
        ("directory", found.path),
        ("image", found.image),
        ("base", found.recipe.base_commit or "that of the image"),
        ("revision", found.revision[:12]),
    ):
        click.echo(f"{label:<9} {value}")
    for shown in found.features.values():
        title = next((line for line in shown.description.splitlines() if line.strip()), "")
        title = title.lstrip("# ").removeprefix("**Title**:").strip()
        click.echo(f"  feature {shown.number:<3} {statistics.gold_lines[shown.number]:>4} lines  {title[:90]}")
    for feature_number in chosen:
        click.echo(f"\n--- feature {feature_number}\n{found.features[feature_number].description}")


@command.command("stats")
@task_filters
@backend_option
@click.option(
    "--repository",
    type=ClonePath(),
    help="Local clone to merge in, instead of the image.",
)
@click.option("--pairs", "list_pairs", is_flag=True, help="Also list every pair and its conflicts.")
@json_option
def show_statistics(
    selected: TaskFilter, backend: str | None, repository: Path | None, list_pairs: bool, as_json: bool
) -> None:
    """Show sizes, overlaps and conflicts of gold patches. Merges run on this machine; each image is opened once."""
    from cooperbench.cli.task_tables import show_pairs, show_table
    from cooperbench.evaluation import task_statistics

    found = []
    tasks = selected.find()
    for number, task in enumerate(tasks, start=1):
        click.echo(f"merging the pairs of {task.key} ({number} of {len(tasks)})", err=True)
        conflicts = _conflicts(task, backend, repository)
        found.append((task_statistics(task, conflicts), conflicts or []))
    if as_json:
        facts = [
            statistics.model_dump(mode="json")
            | ({"merges": [p.model_dump(mode="json") for p in pairs]} if list_pairs else {})
            for statistics, pairs in found
        ]
        print_json(facts)
        return
    show_table(statistics for statistics, _ in found)
    for statistics, pairs in found if list_pairs else []:
        show_pairs(statistics, pairs)


@command.command("sample")
@click.option("--pairs", type=int, required=True, help="Number of pairs.")
@click.option("--seed", type=int, default=42, show_default=True, help="Random seed.")
@click.option("-n", "--name", help="Name of the subset.  [default: sample-<pairs>-<seed>]")
@subset_option
@repo_option
@dataset_option
@json_option
def sample(
    pairs: int,
    seed: int,
    name: str | None,
    subset: str | None,
    repo: str | None,
    dataset_dir: Path | None,
    as_json: bool,
) -> None:
    """Draw random pairs and save them as a subset, for `run -s NAME`."""
    from cooperbench.tasks import discover_tasks, find_dataset, sample_pairs, write_subset

    tasks = discover_tasks(dataset_dir, subset, repo)
    drawn = sample_pairs(tasks, pairs=pairs, seed=seed, name=name or f"sample-{pairs}-{seed}")
    path = write_subset(find_dataset(dataset_dir, subset=subset), drawn)
    if as_json:
        print_json({"path": str(path)} | drawn.model_dump(mode="json", exclude_none=True))
    else:
        click.echo(
            f"{path}: {counted(pairs, 'pair')} of {counted(len(drawn.tasks), 'task')}; use it with -s {drawn.name}"
        )
        print_next(f"cooperbench run -s {drawn.name} -a gold", dataset_dir=dataset_dir)


@command.command("new")
@click.argument("name")
@click.option("--repository", type=ClonePath(), required=True, help="Local clone.")
@click.option("--commit", default="HEAD", show_default=True, help="Commit that agents start from.")
@click.option("--test", required=True, help="Command that runs the hidden tests, such as 'python3 -m pytest tests'.")
@click.option(
    "--setup", help="Command that installs what the tests need.  [default: pip install pytest and the package]"
)
@click.option("--task-id", type=click.IntRange(0), default=1, show_default=True, help="Number of the task.")
@click.option("--features", "count", type=click.IntRange(2), default=2, show_default=True, help="Number of features.")
@click.option("--no-history", is_flag=True, help="Copy the commit without its history, for shallow and partial clones.")
@click.option(
    "--dataset-dir",
    type=click.Path(path_type=Path),
    default=Path("dataset"),
    show_default=True,
    help="Directory of the dataset.",
)
def new(
    name: str,
    repository: Path,
    commit: str,
    test: str,
    setup: str | None,
    task_id: int,
    count: int,
    no_history: bool,
    dataset_dir: Path,
) -> None:
    """Create the files of the new task NAME, for you to fill in and validate."""
    from cooperbench.tasks import new_task
    from cooperbench.tasks.skeleton import SETUP

    task = new_task(
        dataset_dir,
        name,
        repository=repository,
        commit=commit,
        test=test,
        setup=setup or SETUP,
        task_id=task_id,
        features=count,
        history=not no_history,
    )
    click.echo(f"{task.path}: write feature<N>/feature.md, feature.patch and tests.patch")
    print_next(f"cooperbench images build -r {task.repo} -t {task_id}", dataset_dir=dataset_dir)
    print_next(f"cooperbench tasks validate -r {task.repo} -t {task_id}", dataset_dir=dataset_dir)


def _conflicts(task: "Task", backend: str | None, repository: Path | None) -> "list[PairConflict] | None":
    from cooperbench.errors import SandboxError, UsageError
    from cooperbench.evaluation import base_of, base_of_repository, gold_conflicts

    if repository is not None:
        if task.recipe.base_commit is None:
            said = (
                "its Dockerfile names no base commit"
                if (task.path / "Dockerfile").is_file()
                else "it has no Dockerfile"
            )
            raise UsageError(
                f"--repository needs the base commit of {task.key}, and {said}",
                subject=task.key,
                hint="cooperbench tasks stats without --repository opens the task's image",
            )
        return gold_conflicts(task, base_of_repository(repository, task.recipe.base_commit))
    try:
        return gold_conflicts(task, base_of(task, task_backend(task, backend)))
    except SandboxError as error:
        click.echo(f"{task.key}: conflicts not counted: {error}", err=True)
        return None
