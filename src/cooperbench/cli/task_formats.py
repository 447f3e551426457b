"""`cooperbench tasks export` and `tasks import`: tasks in the formats of other programs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.options import Amount, ClonePath, TaskFilter, json_option, parse_features, task_filters
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.typed import print_next

if TYPE_CHECKING:
    from cooperbench.task_formats import ExportedSetting, HarborExport


@click.command("export")
@task_filters
@click.option("-f", "--features", help="Only these features, such as 1,2.")
@click.option("--size", type=click.IntRange(1), default=2, show_default=True, help="Features of a group.")
@click.option(
    "--format", "kind", type=click.Choice(["harbor"]), required=True, help="harbor: folders for `harbor run`."
)
@click.option(
    "--setting",
    type=click.Choice(["solo", "single", "coop", "team"]),
    required=True,
    help="solo: a folder for each group. single: a folder for each feature. Others are refused: Harbor has one agent.",
)
@click.option("--out", "target", type=click.Path(path_type=Path), required=True, help="New folder.")
@click.option("--base-image", help="Image that replaces the first FROM of Dockerfiles.")
@click.option(
    "--licence", help="Licence of the tasks' texts and tests, such as MIT.  [default: known for bundled tasks]"
)
@click.option(
    "--time-limit", type=Amount(min=1), default=900.0, show_default=True, help="Time limit of a test suite, in seconds."
)
@json_option
def export_command(
    selected: TaskFilter,
    features: str | None,
    size: int,
    kind: str,
    setting: str,
    target: Path,
    base_image: str | None,
    licence: str | None,
    time_limit: float,
    as_json: bool,
) -> None:
    """Write tasks for another program, and say what it cannot express.

    \b
    cooperbench tasks export -s demo --format harbor --setting solo --out harbor-tasks
    """
    from cooperbench.task_formats import export_harbor

    exported = _setting(setting)
    if exported is exported.SINGLE and selected.subset is None:
        size = 1  # every feature, whether or not a group has it
    groups = selected.groups(parse_features(features), size)
    written = export_harbor(
        groups, target, setting=exported, base_image=base_image, licence=licence, time_limit=time_limit
    )
    if as_json:
        print_json(written.model_dump(mode="json") | {"format": kind})
    else:
        _show(written)


def _setting(name: str) -> "ExportedSetting":
    from cooperbench.errors import UsageError
    from cooperbench.task_formats import ExportedSetting

    if name not in list(ExportedSetting):
        raise UsageError(
            f"the setting {name} cannot be exported: a task of Harbor has one agent",
            subject=name,
            hint="--setting solo or --setting single",
        )
    return ExportedSetting(name)


def _show(written: "HarborExport") -> None:
    from cooperbench.task_formats.harbor_export import NOTES

    click.echo(f"{written.directory}: {counted(len(written.tasks), 'task')} of Harbor")
    for note in written.not_expressed:
        click.echo(f"not expressed: {note}")
    click.echo(f"these lines are in {written.directory / NOTES}")
    click.echo(f"next: harbor run -p {shlex.quote(str(written.directory))} -a oracle")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["harbor", "swebench"]),
    required=True,
    help="harbor: task folders. swebench: files of instances, .jsonl, .json or .parquet.",
)
@click.option("--out", "dataset_dir", type=click.Path(path_type=Path), required=True, help="Directory of the dataset.")
@click.option("-n", "--name", help="Name of the task.  [default: that of the repository]")
@click.option("--task-id", type=click.IntRange(0), default=1, show_default=True, help="Number of the task.")
@click.option("--base-commit", metavar="COMMIT", help="Only instances on this commit.")
@click.option("--repository", type=ClonePath(), help="Local clone to build the image from.")
@click.option("--image", help="Image that has the repository, instead of a clone.")
@click.option("--image-folder", metavar="PATH", help="Folder of the repository in the image.  [default: /testbed]")
@click.option("--test", metavar="COMMAND", help="Command that runs the hidden tests.  [default: pytest on their files]")
@click.option("--setup", metavar="COMMAND", help="Command that installs what the tests need, with --repository.")
@click.option("--no-history", is_flag=True, help="Copy the commit of the clone without its history.")
@json_option
def import_command(
    paths: tuple[Path, ...],
    kind: str,
    dataset_dir: Path,
    name: str | None,
    task_id: int,
    base_commit: str | None,
    no_history: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make one task, a pool of features, of instances on one base commit. Then build its image, and validate it.

    \b
    cooperbench tasks import --format swebench rows.jsonl --base-commit 3e1c7a9 --repository clone --out dataset
    """
    from cooperbench.task_formats import Surrounding, pool_of_folders, pool_of_instances, read_instances, write_pool

    known = {option: value for option, value in given.items() if value is not None}
    if kind == "harbor":
        pool = pool_of_folders(paths, base_commit)
    else:
        pool = pool_of_instances([each for path in paths for each in read_instances(path)], base_commit)
    task = write_pool(pool, dataset_dir, name=name, task_id=task_id, given=Surrounding(history=not no_history, **known))
    if as_json:
        names = {number: feature.name for number, feature in pool.features.items()}
        print_json({"task": task.key, "path": str(task.path), "base_commit": pool.base_commit, "features": names})
        return
    click.echo(f"{task.path}: {counted(len(task.features), 'feature')}")
    for number, feature in pool.features.items():
        click.echo(f"  feature {number:<3} {feature.name}")
    print_next(f"cooperbench images build -r {task.repo} -t {task_id}", dataset_dir=dataset_dir)
    print_next(f"cooperbench tasks validate -r {task.repo} -t {task_id} --group", dataset_dir=dataset_dir)
