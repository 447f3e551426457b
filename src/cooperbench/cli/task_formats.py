"""`cooperbench tasks export` and `tasks import`: tasks in the formats of other programs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import Amount, TaskFilter, json_option, parse_features, task_filters
from cooperbench.cli.output import counted, print_json

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
