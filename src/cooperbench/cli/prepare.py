"""`cooperbench prepare`."""

import json
from pathlib import Path

import click

from cooperbench.cli.options import json_option


@click.command("prepare")
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit; the commit is recorded.")
@click.option("-s", "--subset", help="Only the tasks of one subset.")
@click.option("--dataset", help="Another data set on the hub, owner/name.")
@click.option("--endpoint", help="Another server.  [default: $HF_ENDPOINT or the hub]")
@click.option(
    "--dataset-dir",
    type=click.Path(path_type=Path),
    envvar="COOPERBENCH_DATASET_DIR",
    default=Path("dataset"),
    show_default=True,
    help="Where to put it.",
)
@json_option
def command(
    revision: str, subset: str | None, dataset: str | None, endpoint: str | None, dataset_dir: Path, as_json: bool
) -> None:
    """Download the published data set. Repeating the command continues an interrupted download."""
    from cooperbench.tasks import HUB_DATASET, discover_tasks, prepare_dataset

    manifest = prepare_dataset(
        dataset_dir, revision=revision, subset=subset, dataset=dataset or HUB_DATASET, endpoint=endpoint
    )
    tasks = discover_tasks(dataset_dir, subset)
    if as_json:
        facts = manifest.model_dump(mode="json") | {"path": str(dataset_dir), "tasks": len(tasks)}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(f"{len(tasks)} tasks of {manifest.dataset} at {manifest.revision[:12]} in {dataset_dir}")
