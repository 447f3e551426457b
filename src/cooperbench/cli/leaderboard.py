"""`cooperbench leaderboard`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.output import counted, print_json

if TYPE_CHECKING:
    from cooperbench.publishing.ranking import Board


@click.command("leaderboard")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write, in HTML."
)
@click.option("--json", "as_json", is_flag=True, help="Print the ranks as JSON, too.")
def command(folder: Path, target: Path, as_json: bool) -> None:
    """Write a page with leaderboards of all bundles in FOLDER, one for each data revision, setting and policy.

    Ranks differ only where the difference is significant. What a `verify --record` left beside a bundle is shown.
    """
    from cooperbench.publishing.leaderboard import write_leaderboard

    found = write_leaderboard(folder, target)
    for each in found.left_out:
        click.echo(f"left out: {each.source}: {each.reason}", err=True)
    if as_json:
        print_json([_facts(board) for board in found.boards])
        return
    entries = sum(len(board.entries) for board in found.boards)
    click.echo(f"{target}: {counted(len(found.boards), 'table')}, {counted(entries, 'entry', 'entries')}")


def _facts(board: "Board") -> dict[str, Any]:
    entries = [
        {
            "rank": entry.rank,
            "team": entry.team,
            "run": entry.run.run,
            "rate": entry.rate.rate,
            "low": entry.rate.low,
            "high": entry.rate.high,
            "missing": entry.missing,
            "verified": entry.verification is not None and entry.verification.verified,
            "bundle": entry.digest,
        }
        for entry in board.entries
    ]
    key = board.key
    return {
        "setting": key.setting,
        "policy": key.policy,
        "data": key.data,
        "data_revision": key.revision,
        "groups": len(key.groups),
        "entries": entries,
    }
