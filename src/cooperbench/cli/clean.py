"""`cooperbench clean`."""

from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import json_option
from cooperbench.cli.output import console, counted, print_json

if TYPE_CHECKING:
    from cooperbench.environments import Orphan


@click.command("clean")
@click.option("--run", "run", metavar="NAME", help="Remove only what this run left behind.")
@click.option("--backend", "backends", metavar="NAME", multiple=True, help="Remove only from this backend; repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and stop.")
@click.option("--redis", "redis_url", metavar="URL", help="Also remove mailboxes from this Redis server.")
@json_option
def command(run: str | None, backends: tuple[str, ...], dry_run: bool, redis_url: str | None, as_json: bool) -> int:
    """Remove what runs left behind: containers, images, sandboxes, machines and directories labelled by CooperBench.

    Sandboxes of runs in progress carry the same label: name a run, or check with --dry-run first.
    """
    from cooperbench.environments import orphans, remove
    from cooperbench.errors import CooperBenchError

    found = orphans(run, backends=list(backends) or None)
    failures: dict[str, str] = {}
    for orphan in () if dry_run else found:
        try:
            remove(orphan)
        except CooperBenchError as error:
            failures[orphan.identifier] = str(error)
    mailboxes = 0 if redis_url is None else _mailboxes(redis_url, run, dry_run=dry_run)
    if as_json:
        facts = [
            {**orphan.model_dump(mode="json"), "removed": not dry_run and orphan.identifier not in failures}
            for orphan in found
        ]
        print_json({"leftovers": facts, "mailboxes": mailboxes, "dry_run": dry_run, "failures": failures})
    else:
        _show(found, failures, mailboxes, dry_run=dry_run)
    return 1 if failures else 0


def _mailboxes(url: str, run: str | None, *, dry_run: bool) -> int:
    from cooperbench.collaboration import orphaned_mailboxes, remove_mailbox

    names = orphaned_mailboxes(url, run)
    for name in () if dry_run else names:
        remove_mailbox(url, name)
    return len(names)


def _show(found: list["Orphan"], failures: dict[str, str], mailboxes: int, *, dry_run: bool) -> None:
    from rich.table import Table

    out = console()
    if not found and not mailboxes:
        out.print("nothing to remove")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("backend", "kind", "name", "run", "state", "description", ""):
        table.add_column(column)
    for orphan in found:
        state = "running" if orphan.running else ""
        done = "" if dry_run else failures.get(orphan.identifier, "removed")
        words = (orphan.backend, orphan.kind, orphan.identifier, orphan.run, state, orphan.description, done)
        table.add_row(*words)
    out.print(table)
    if mailboxes:
        out.print(counted(mailboxes, "mailbox", "mailboxes") + ("" if dry_run else " removed"))
    if dry_run:
        out.print("nothing was removed; repeat without --dry-run to remove this")
