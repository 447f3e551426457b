"""`cooperbench submit`: runs as a bundle that others can check, or, with `slurm`, a run to a cluster's scheduler."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from cooperbench.cli.options import json_option, log_dir_option, policy_option
from cooperbench.cli.output import counted, print_json
from cooperbench.cli.slurm import slurm
from cooperbench.cli.typed import print_next
from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from cooperbench.publishing.writing import WrittenBundle

BUNDLE = "RUN..."
"""The name of what `submit` does without a subcommand. A run cannot be called so."""


class _SubmitGroup(click.Group):
    """A group whose words are names of runs, unless the first is a subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        before = args[: args.index("--")] if "--" in args else args
        if first == slurm.name and any(word.split("=")[0] == "--out" for word in before):
            raise UsageError(
                "`submit slurm` is about the scheduler; a run of that name goes last",
                subject=slurm.name,
                hint=f"cooperbench submit --out bundle {slurm.name}",
            )
        if first not in self.commands and first not in ctx.help_option_names:
            args = [BUNDLE, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of runs besides the subcommand."""
        from cooperbench.records.runs import run_names

        names = [name for name in (*self.commands, *run_names()) if name != BUNDLE]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group("submit", cls=_SubmitGroup, subcommand_metavar="RUN... --out FOLDER | slurm ...")
def command() -> None:
    """Publish runs in a form that others can check, or submit a run to a cluster's scheduler.

    `cooperbench submit RUN --help` lists the options for runs.

    \b
    cooperbench submit coop --out bundle
    cooperbench submit slurm --array 16 -- run -s lite -a my_agent -m gpt-4o
    """


@command.command(BUNDLE, short_help="Write a bundle that others can check.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", "target", type=click.Path(path_type=Path), required=True, help="New folder for the bundle.")
@click.option("--team", metavar="NAME", help="Name of the team.  [default: its agents and models]")
@policy_option
@click.option("--trajectories", is_flag=True, help="Include trajectories, events and messages.")
@click.option(
    "--licence", "--license", "licence", metavar="NAME", help="Licence of the trajectories, such as CC-BY-4.0."
)
@click.option("--incomplete", is_flag=True, help="Let episodes without a verdict be missing; the bundle lists them.")
@log_dir_option
@json_option
def bundle(
    runs: tuple[str, ...],
    target: Path,
    team: str | None,
    policy: str | None,
    trajectories: bool,
    licence: str | None,
    incomplete: bool,
    log_dir: Path | None,
    as_json: bool,
) -> None:
    """Write RUNs, each of another setting, into a folder with all that others need to judge the patches again.

    Without --trajectories it holds patches, results and test results, and nothing that agents or models said.
    """
    if trajectories != (licence is not None):
        raise UsageError("--trajectories and --licence belong together", hint="--trajectories --licence CC-BY-4.0")
    from cooperbench.publishing.writing import write_bundle

    written = write_bundle(
        runs, target, log_dir=log_dir, team=team, policy=policy, trajectories=licence, incomplete=incomplete
    )
    _print(written, as_json=as_json)


def _print(written: "WrittenBundle", *, as_json: bool) -> None:
    if as_json:
        statement = written.statement.model_dump(mode="json")
        print_json({"path": str(written.path), "digest": written.digest, "submission": statement})
        return
    for run in written.statement.runs:
        found = run.groups
        click.echo(
            f"{run.run}: {run.setting}, {counted(found.groups, 'group')}, {100 * found.rate:.1f} % passed "
            f"({100 * found.low:.1f} to {100 * found.high:.1f} %)"
        )
        for each in run.episodes:
            if each.missing:
                click.echo(f"left out: {each.group}: {each.missing}")
    if written.redactions:
        click.echo(f"replaced by ***: {counted(written.redactions, 'possible secret')}")
    click.echo(f"{written.path}: {written.files} files, {written.bytes / 1e6:.1f} MB, sha256 {written.digest}")
    print_next(f"cooperbench verify {written.path}")


command.add_command(slurm)
