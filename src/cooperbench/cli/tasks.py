"""`cooperbench tasks`: list, show, measure, sample, validate and make tasks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import dataset_option, json_option, parse_features

if TYPE_CHECKING:
    from cooperbench.evaluation import PairConflict
    from cooperbench.tasks import Task


@click.group("tasks")
def command() -> None:
    """List, show, validate and make tasks."""


subset_option = click.option("-s", "--subset", help="Only the tasks of a subset; `demo` are the bundled ones.")
repo_option = click.option("-r", "--repo", help="Only the tasks of one repository.")
task_option = click.option("-t", "--task", "task_id", help="Only the task of that number.")
backend_option = click.option("--backend", help="Where sandboxes run.  [default: local for bundled tasks, else docker]")


@command.command("list")
@subset_option
@repo_option
@task_option
@dataset_option
@json_option
def list_tasks(
    subset: str | None, repo: str | None, task_id: str | None, dataset_dir: Path | None, as_json: bool
) -> None:
    """List the tasks of a data set."""
    from cooperbench.cli.task_tables import table
    from cooperbench.evaluation import task_language
    from cooperbench.tasks import discover_groups, discover_tasks

    tasks = discover_tasks(dataset_dir, subset, repo, task_id)
    groups = discover_groups(tasks, subset=subset)
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
        click.echo(json.dumps(rows, indent=2))
        return
    titles = ("task", "language", "features", "pairs", "image")
    table(
        titles,
        [
            (r["task"], r["language"], len(task.features), r["pairs"], r["image"])
            for r, task in zip(rows, tasks, strict=True)
        ],
    )
    click.echo(f"{len(tasks)} tasks, {len(groups)} pairs")


@command.command("show")
@click.argument("task")
@click.option("-f", "--features", help="Print the descriptions of these features, e.g. 1,2.")
@subset_option
@dataset_option
@json_option
def show_task(task: str, features: str | None, subset: str | None, dataset_dir: Path | None, as_json: bool) -> None:
    """Show TASK, written repo/task_id as `tasks list` does."""
    from cooperbench.errors import UnknownNameError
    from cooperbench.evaluation import task_statistics
    from cooperbench.tasks import discover_tasks

    repo, _, number = task.partition("/")
    found = discover_tasks(dataset_dir, subset, repo, number or None)[0]
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
        click.echo(json.dumps(facts, indent=2))
        return
    for label, value in (
        ("task", found.key),
        ("language", statistics.language),
        ("folder", found.path),
        ("image", found.image),
        ("base", found.recipe.base_commit or "the image's own"),
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
@subset_option
@repo_option
@task_option
@backend_option
@click.option(
    "--repository", type=click.Path(path_type=Path), help="A local clone to merge on, instead of the image's base."
)
@click.option("--pairs", "list_pairs", is_flag=True, help="Also list every pair and where it conflicts.")
@dataset_option
@json_option
def show_statistics(
    subset: str | None,
    repo: str | None,
    task_id: str | None,
    backend: str | None,
    repository: Path | None,
    list_pairs: bool,
    dataset_dir: Path | None,
    as_json: bool,
) -> None:
    """Sizes, overlaps and gold conflicts. Merging happens on this machine; an image is looked into once for its base."""
    from cooperbench.cli.task_tables import show_pairs, show_table
    from cooperbench.evaluation import task_statistics
    from cooperbench.tasks import discover_tasks

    found = []
    for task in discover_tasks(dataset_dir, subset, repo, task_id):
        conflicts = _conflicts(task, backend, repository)
        found.append((task_statistics(task, conflicts), conflicts or []))
    if as_json:
        facts = [
            statistics.model_dump(mode="json")
            | ({"merges": [p.model_dump(mode="json") for p in pairs]} if list_pairs else {})
            for statistics, pairs in found
        ]
        click.echo(json.dumps(facts, indent=2))
        return
    show_table(statistics for statistics, _ in found)
    for statistics, pairs in found if list_pairs else []:
        show_pairs(statistics, pairs)


@command.command("sample")
@click.option("--pairs", type=int, required=True, help="How many pairs.")
@click.option("--seed", type=int, default=42, show_default=True)
@click.option("-n", "--name", help="The subset's name.  [default: sample-<pairs>-<seed>]")
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
    """Make a subset of randomly drawn pairs, for `run -s NAME`."""
    from cooperbench.tasks import discover_tasks, find_dataset, sample_pairs, write_subset

    tasks = discover_tasks(dataset_dir, subset, repo)
    drawn = sample_pairs(tasks, pairs=pairs, seed=seed, name=name or f"sample-{pairs}-{seed}")
    path = write_subset(find_dataset(dataset_dir, subset=subset), drawn)
    if as_json:
        click.echo(json.dumps({"path": str(path)} | drawn.model_dump(mode="json", exclude_none=True), indent=2))
    else:
        click.echo(f"{path}: {pairs} pairs of {len(drawn.tasks)} tasks; use it with -s {drawn.name}")


@command.command("validate")
@subset_option
@repo_option
@task_option
@click.option("-f", "--features", help="Only these features, e.g. 1,2.")
@click.option(
    "-k", "repetitions", type=click.IntRange(1), default=1, show_default=True, help="Runs with the gold patch."
)
@backend_option
@click.option("--time-limit", type=float, default=900.0, show_default=True, help="Seconds for one suite.")
@dataset_option
@json_option
def validate(
    subset: str | None,
    repo: str | None,
    task_id: str | None,
    features: str | None,
    repetitions: int,
    backend: str | None,
    time_limit: float,
    dataset_dir: Path | None,
    as_json: bool,
) -> int:
    """Check tasks: every feature fails on the base and passes with its gold patch. Exit code 1 when one does not."""
    from cooperbench.cli.task_tables import show_validation
    from cooperbench.evaluation import validate_task
    from cooperbench.tasks import discover_groups, discover_tasks

    tasks = discover_tasks(dataset_dir, subset, repo, task_id)
    chosen = parse_features(features)
    if chosen is not None:
        tasks = [group.task for group in discover_groups(tasks, features=chosen)]
    found = []
    for task in tasks:
        validation = validate_task(
            task,
            backend=backend or _default_backend(task),
            repetitions=repetitions,
            features=chosen,
            time_limit=time_limit,
        )
        found.append(validation)
        if not as_json:
            show_validation(validation)
    if as_json:
        facts = [validation.model_dump(mode="json") | {"ok": validation.ok} for validation in found]
        click.echo(json.dumps(facts, indent=2))
    return 0 if all(validation.ok for validation in found) else 1


@command.command("new")
@click.argument("name")
@click.option("--repository", type=click.Path(exists=True, path_type=Path), required=True, help="A local clone.")
@click.option("--commit", default="HEAD", show_default=True, help="The commit that agents start from.")
@click.option("--test", required=True, help="The command that runs the hidden tests, e.g. 'python3 -m pytest tests'.")
@click.option(
    "--setup", help="What installs the tests' needs into the image.  [default: pip install pytest and the package]"
)
@click.option("--task-id", type=click.IntRange(0), default=1, show_default=True)
@click.option("--features", "count", type=click.IntRange(2), default=2, show_default=True, help="How many to prepare.")
@click.option("--no-history", is_flag=True, help="The commit alone: for shallow and partial clones.")
@click.option("--dataset-dir", type=click.Path(path_type=Path), default=Path("dataset"), show_default=True)
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
    """Make the files of a task of one's own, to be filled in and validated."""
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
    click.echo(f"{task.path}: write feature<N>/feature.md, feature.patch and tests.patch, then")
    click.echo(f"  cooperbench images build -r {task.repo} -t {task_id} --dataset-dir {dataset_dir}")
    click.echo(f"  cooperbench tasks validate -r {task.repo} -t {task_id} --dataset-dir {dataset_dir}")


def _default_backend(task: "Task") -> str:
    return "local" if task.recipe.bundled else "docker"


def _conflicts(task: "Task", backend: str | None, repository: Path | None) -> "list[PairConflict] | None":
    from cooperbench.errors import SandboxError, UsageError
    from cooperbench.evaluation import base_of, base_of_repository, gold_conflicts

    if repository is not None:
        if task.recipe.base_commit is None:
            raise UsageError(
                f"{task.key} does not say its base commit", subject=task.key, hint="leave out --repository"
            )
        return gold_conflicts(task, base_of_repository(repository, task.recipe.base_commit))
    try:
        return gold_conflicts(task, base_of(task, backend or _default_backend(task)))
    except SandboxError as error:
        click.echo(f"{task.key}: no conflicts counted: {error}", err=True)
        return None
