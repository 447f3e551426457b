"""`cooperbench prepare`."""

from pathlib import Path

import click

from cooperbench.cli.options import json_option
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.typed import print_next


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
@json_option
def command(
    revision: str, subset: str | None, dataset: str | None, endpoint: str | None, dataset_dir: Path, as_json: bool
) -> None:
    """Download the published dataset. Repeat the command to continue an interrupted download."""
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
