"""`cooperbench prepare`."""

import re
from pathlib import Path
from typing import Any

import click

from cooperbench.cli.options import TaskFilter, json_option, repo_option, task_option
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.prepare_images import prepare_images
from cooperbench.cli.typed import print_next
from cooperbench.errors import UsageError

UNITS = {"": 1e9, "MB": 1e6, "GB": 1e9, "TB": 1e12}


class DiskSize(click.ParamType[float]):
    """An amount of disk space in bytes, such as 50GB; a bare number is in GB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the value, or fail with a usage error."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MGT]B|)", str(value).strip(), re.IGNORECASE)
        if found is None:
            self.fail(f"{value!r} is not a size such as 50GB", param, ctx)
        return float(found.group(1)) * UNITS[found.group(2).upper()]


@click.command("prepare")
@click.option(
    "--revision", default="main", show_default=True, help="Branch, tag or commit to download; the commit is recorded."
)
@click.option("-s", "--subset", help="Only tasks of this subset.")
@click.option("--dataset", metavar="OWNER/NAME", help="Dataset on the hub.  [default: the published one]")
@click.option("--endpoint", metavar="URL", help="Server.  [default: $HF_ENDPOINT or the hub]")
@click.option(
    "--dataset-dir",
    type=click.Path(path_type=Path),
    envvar="COOPERBENCH_DATASET_DIR",
    default=Path("dataset"),
    show_default=True,
    help="Target directory.",
)
@click.option("--images", is_flag=True, help="Fetch the images of the tasks to this machine, instead of the dataset.")
@repo_option
@task_option
@click.option("--backend", help="With --images: backend that needs them.  [default: docker; local with -s demo]")
@click.option(
    "--max-disk", type=DiskSize(), help="With --images: disk space for all images fetched here, such as 50GB."
)
@click.option(
    "--remove-unused",
    is_flag=True,
    help="With --images: make space by removing images that were fetched here and are not among these, oldest use first.",
)
@click.option("--dry-run", is_flag=True, help="With --images: only list what is here and what is missing.")
@json_option
def command(
    revision: str,
    subset: str | None,
    dataset: str | None,
    endpoint: str | None,
    dataset_dir: Path,
    images: bool,
    repo: str | None,
    task_id: str | None,
    backend: str | None,
    max_disk: float | None,
    remove_unused: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Download the published dataset, or with --images what its tasks run in. Repeat the command to continue where it stopped."""
    if images:
        selected = TaskFilter(subset, repo, task_id, dataset_dir)
        return prepare_images(selected, backend, max_disk, remove_unused, dry_run=dry_run, as_json=as_json)
    given = {"-r": repo, "-t": task_id, "--backend": backend, "--max-disk": max_disk}
    given |= {"--remove-unused": remove_unused or None, "--dry-run": dry_run or None}
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} needs --images", subject=option, hint="cooperbench prepare --images")
    _download(dataset_dir, revision, subset, dataset, endpoint, as_json=as_json)
    return 0


def _download(
    dataset_dir: Path,
    revision: str,
    subset: str | None,
    dataset: str | None,
    endpoint: str | None,
    *,
    as_json: bool,
) -> None:
    from cooperbench.tasks import HUB_DATASET, discover_tasks, prepare_dataset

    manifest = prepare_dataset(
        dataset_dir, revision=revision, subset=subset, dataset=dataset or HUB_DATASET, endpoint=endpoint
    )
    tasks = discover_tasks(dataset_dir, subset)
    if as_json:
        facts = manifest.model_dump(mode="json") | {"path": str(dataset_dir), "tasks": len(tasks)}
        print_json(facts)
    else:
        click.echo(f"{counted(len(tasks), 'task')} of {manifest.dataset} at {manifest.revision[:12]} in {dataset_dir}")
        place = None if dataset_dir == Path("dataset") else dataset_dir
        print_next("cooperbench tasks list" + (f" -s {subset}" if subset else ""), dataset_dir=place)
