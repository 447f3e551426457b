"""`cooperbench verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import dataset_option, json_option, load_environment_file
from cooperbench.cli.output import console, counted, print_json

if TYPE_CHECKING:
    from cooperbench.records import Falsify
    from cooperbench.records.published import Verification

_SHOWN = 20
"""Differences that are printed of each kind."""


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--backend", help="Backend that runs the tests.  [default: the bundle's]")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Judge only N episodes again, drawn at random.")
@click.option("--seed", type=int, help="Seed of the draw.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=2, show_default=True, help="Evaluations to run at once.")
@click.option(
    "--falsify",
    type=click.Choice(["on", "warn", "off"]),
    help="Prove each pass by broken tests, drawn anew.  [default: as in the bundle]",
)
@click.option("--record", is_flag=True, help="Write what was found beside the bundle, for leaderboards.")
@dataset_option
@json_option
def command(
    bundle: Path,
    backend: str | None,
    sample: int | None,
    seed: int | None,
    jobs: int,
    falsify: "Falsify | None",
    record: bool,
    dataset_dir: Path | None,
    as_json: bool,
) -> int:
    """Check BUNDLE, a folder or an archive of one, judge its patches again, and compare test by test.

    Exit codes: 0 all as it says, 1 something differs, 2 it cannot be checked here.
    """
    load_environment_file()
    from cooperbench.publishing.rejudging import JudgingOptions
    from cooperbench.publishing.verification import record_path, verify_bundle
    from cooperbench.records import write_model

    options = JudgingOptions(backend=backend, dataset_dir=dataset_dir, jobs=jobs, falsify=falsify)
    found = verify_bundle(bundle, options, sample=sample, seed=seed)
    if record:
        write_model(record_path(bundle), found)
    if as_json:
        print_json({"verified": found.verified, **found.model_dump(mode="json")})
    else:
        _print(found)
        if record:
            click.echo(f"written: {record_path(bundle)}")
    return 0 if found.verified else 1


def _print(found: "Verification") -> None:
    from rich.table import Table
    from rich.text import Text

    from cooperbench.records.visible import one_line

    out = console()
    out.print(f"{one_line(found.team)}, sha256 {found.bundle}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("check", "result"):
        table.add_column(name)
    for name, result in _checks(found):
        table.add_row(name, Text(result))
    out.print(table)
    shown = (("", found.discrepancies), ("flaky: ", found.flaky), ("note: ", found.notes))
    for title, items in shown:
        for item in items[:_SHOWN]:
            out.print(f"{title}{one_line(str(item))}", markup=False, soft_wrap=True)
        if len(items) > _SHOWN:
            out.print(f"{title}and {len(items) - _SHOWN} more; --json prints all", markup=False)
    out.print("verified" if found.verified else "NOT verified", style="bold")


def _checks(found: "Verification") -> list[tuple[str, str]]:
    from cooperbench.records.published import DiscrepancyKind as Kind

    def result(of: tuple[Kind, ...], fine: str) -> str:
        count = sum(each.kind in of for each in found.discrepancies)
        return counted(count, "difference") if count else fine

    files = (Kind.CHANGED_FILE, Kind.MISSING_FILE, Kind.ADDED_FILE, Kind.UNREADABLE)
    checks = [("files", result(files, "as in the manifest"))]
    if not any(each.kind in files for each in found.discrepancies):
        checks.append(("statements", result((Kind.STATEMENT,), "as the runs say")))
    if not found.judged:
        return [*checks, ("judged again", "no: the bundle is not as it says")]
    of = f"{found.judged} of {counted(found.episodes, 'episode')}, {counted(found.tests, 'test result')}"
    flaky = f"; {counted(len(found.flaky), 'flaky difference')}" if found.flaky else ""
    again = (Kind.VERDICT, Kind.TEST, Kind.MERGE, Kind.NOT_JUDGED)
    return [*checks, ("judged again", f"{of}: {result(again, 'equal')}{flaky}")]
