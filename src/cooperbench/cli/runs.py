"""`cooperbench runs`."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.options import json_option, log_dir_option, policy_option
from cooperbench.cli.output import console, counted, print_json
from cooperbench.cli.typed import lead_on, print_next
from cooperbench.errors import RecordError, UsageError

if TYPE_CHECKING:
    from cooperbench.records import GroupKey, RunDirectory
    from cooperbench.records.episode_state import EpisodeView


@click.group("runs")
def command() -> None:
    """Show, watch, export, merge and remove runs."""


@command.command("list")
@log_dir_option
@json_option
def list_runs(log_dir: Path | None, as_json: bool) -> None:
    """List the runs in the log directory."""
    from cooperbench.cli.show import runs_table
    from cooperbench.records.runs import read_run, run_names

    runs = []
    for name in run_names(log_dir):
        try:
            runs.append(read_run(name, log_dir))
        except RecordError as error:  # one broken run does not hide the others
            click.echo(error.message, err=True)
    if as_json:
        print_json([run.summary.model_dump(mode="json") for run in runs])
    elif runs:
        console().print(runs_table(runs))
        print_next(f"cooperbench runs show {runs[-1].directory.name}", log_dir=log_dir)
    else:
        console().print("no runs yet; try: cooperbench run -s demo")


@command.command("show")
@click.argument("name")
@click.argument("episode", required=False)
@click.option("--agent", help="Member of the EPISODE whose steps or patch to show.")
@click.option("--text", is_flag=True, help="Print all of each text: prompts, commands, outputs, passing tests.")
@click.option("--errors-only", is_flag=True, help="Show only what went wrong: steps, messages, tests.")
@click.option("--diff", is_flag=True, help="Show the patches of the EPISODE.")
@click.option("--tests", is_flag=True, help="Show the hidden tests of the EPISODE, failing ones with their output.")
@policy_option
@log_dir_option
@json_option
def show_run(
    name: str, episode: str | None, policy: str | None, log_dir: Path | None, as_json: bool, **parts: Any
) -> None:
    """Show the run NAME, or one EPISODE of it, such as shelfdb_task/1/f1_f2.

    With --agent, --text or --errors-only it shows the steps of the members, with their messages.
    """
    from cooperbench.cli.replayed import replay_summary
    from cooperbench.cli.show import episodes_table, print_summary, run_facts, run_lines
    from cooperbench.cli.show_episode import show_episode
    from cooperbench.records import RunDirectory
    from cooperbench.records.run_lock import is_locked
    from cooperbench.records.runs import read_run
    from cooperbench.records.visible import one_line

    asked = _asked_parts(name, episode, parts)
    result = read_run(name, log_dir, policy=policy)
    if episode is not None and asked:
        from cooperbench.cli.show_parts import ShownParts, show_parts

        show_parts(result, episode, ShownParts(**asked), as_json=as_json)
    elif episode is not None:
        show_episode(result, episode, as_json=as_json)
    elif as_json:
        print_json(run_facts(result))
    else:
        out = console()
        for line in run_lines(result.config):
            out.print(one_line(line), soft_wrap=True)
        out.print(episodes_table(result, out.width))
        print_summary(out, result.summary)
        for line in replay_summary(result.episodes):
            out.print(one_line(line), markup=False, soft_wrap=True)
        if result.config.network is not None:
            out.print(f"network of sandboxes: {result.config.network.sentence}", soft_wrap=True)
        if is_locked(RunDirectory(result.directory)):
            out.print(f"in progress; watch it with: cooperbench runs watch {name}", markup=False)
        out.print(f"record: {result.directory}", markup=False)
        lead_on(result)


def _asked_parts(name: str, episode: str | None, parts: dict[str, Any]) -> dict[str, Any]:
    """Return the options that ask for parts of an episode. Raises `UsageError` where no episode is named."""
    asked = {part: value for part, value in parts.items() if value}
    if asked and episode is None:
        hint = f"cooperbench runs show {name} EPISODE --agent agent1"
        raise UsageError(f"--{next(iter(asked)).replace('_', '-')} shows a part of one episode", hint=hint)
    return asked


def _is_scheduled(directory: "RunDirectory") -> bool:
    """Return whether a scheduler's job may still work on a run. Only a run with one loads what asks the scheduler."""
    if not directory.job.exists():
        return False
    from cooperbench.runner.slurm import is_scheduled

    return is_scheduled(directory)


@command.command("watch")
@click.argument("name")
@log_dir_option
def watch_run(name: str, log_dir: Path | None) -> None:
    """Watch the run NAME from another terminal until it ends."""
    from rich.console import Group
    from rich.live import Live

    from cooperbench.cli.display import activity, headline
    from cooperbench.cli.show import episodes_table, print_summary
    from cooperbench.records.live import counts_of, read_live
    from cooperbench.records.run_lock import is_locked
    from cooperbench.records.runs import open_run, read_run

    directory, config = open_run(name, log_dir)
    settled: dict[GroupKey, EpisodeView] = {}
    out = console()
    with Live(console=out, auto_refresh=False, transient=True) as live:
        # Tasks of an array that wait need not begin any more when the others have finished everything.
        while is_locked(directory) or (
            not read_run(name, log_dir, settled=settled).complete and _is_scheduled(directory)
        ):
            working = read_live(directory, config)
            counts = counts_of(read_run(name, log_dir, settled=settled), working)
            live.update(Group(headline(counts, working), activity(working)), refresh=True)
            time.sleep(1)
    result = read_run(name, log_dir)
    out.print(episodes_table(result, out.width))
    print_summary(out, result.summary)


@command.command("join")
@click.argument("name")
@click.argument("agent_id", required=False)
@log_dir_option
def join_run(name: str, agent_id: str | None, log_dir: Path | None) -> int:
    """Take the place of a person in the run NAME: of AGENT_ID, or of the first that waits."""
    from cooperbench.cli.person import free_places, has_terminal, take_place
    from cooperbench.records.live import read_live
    from cooperbench.records.runs import open_run

    directory, config = open_run(name, log_dir)
    if not has_terminal():
        raise UsageError("a person needs a terminal, and this command has none", hint="type the command in a terminal")
    places = [place for place in free_places(read_live(directory, config)) if agent_id in (None, place.agent_id)]
    if not any(map(take_place, places)):
        who = f"{agent_id} of run {name} does not wait" if agent_id else f"nobody in run {name} waits"
        raise UsageError(
            f"{who} for a person",
            subject=name,
            hint=f"cooperbench runs watch {name} shows who does what",
        )
    return 0


@command.command("export")
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["package", "atif", "html", "eval"]),
    default="package",
    show_default=True,
    help="package: the run, to share. atif: trajectories in the Agent Trajectory Interchange Format. html: pages to look at. eval: a log of Inspect.",
)
@click.option("--html", "kind", flag_value="html", help="Short for --format html.")
@log_dir_option
@json_option
def export(name: str, target: Path, kind: str, log_dir: Path | None, as_json: bool) -> None:
    """Export the run NAME to TARGET: finished episodes and a manifest, without secrets."""
    if kind == "eval":
        _export_eval(name, target, log_dir, as_json=as_json)
        return
    if kind == "html":
        from cooperbench.cli.view import export_pages

        export_pages([name], target, log_dir, as_json=as_json)
        return
    if kind == "atif":
        from cooperbench.records.atif import export_atif

        written = export_atif(name, target, log_dir=log_dir)
        if as_json:
            print_json([str(path) for path in written])
        else:
            click.echo(f"{target}: {counted(len(written), 'trajectory', 'trajectories')} in ATIF")
        return
    from cooperbench.runner.packages import export_run

    manifest = export_run(name, target, log_dir=log_dir)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
    else:
        size = sum(file.bytes for file in manifest.files) / 1e6
        click.echo(
            f"{target}: {manifest.episodes} of {counted(manifest.planned, 'episode')}, {len(manifest.files)} files, {size:.1f} MB"
        )
        for file in manifest.left_out:
            click.echo(f"left out: the episode of {file}, which may contain a key")
        if manifest.redactions:
            click.echo(f"replaced by ***: {counted(manifest.redactions, 'possible secret')}")


def _export_eval(name: str, target: Path, log_dir: Path | None, *, as_json: bool) -> None:
    from cooperbench.exports.inspect_logs import export_eval

    log = export_eval(name, target, log_dir=log_dir)
    if as_json:
        print_json({"log": str(log.path), "samples": log.samples, "not_expressed": list(log.notes)})
        return
    click.echo(f"{log.path}: {counted(log.samples, 'sample')}")
    for note in log.notes:
        click.echo(f"not expressed: {note}")
    click.echo(f"next: inspect view --log-dir {shlex.quote(str(target))}")


@command.command("merge")
@click.argument("name")
@click.argument("parts", nargs=-1, type=click.Path(path_type=Path))
@log_dir_option
def merge(name: str, parts: tuple[Path, ...], log_dir: Path | None) -> None:
    """Merge PARTS of a run, made on several machines, into the new run NAME."""
    from cooperbench.cli.show import print_summary
    from cooperbench.records.runs import read_run
    from cooperbench.runner.packages import merge_runs

    merge_runs(name, parts, log_dir=log_dir)
    print_summary(console(), read_run(name, log_dir).summary)
    print_next(f"cooperbench runs show {name}", log_dir=log_dir)


@command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@log_dir_option
def remove(names: tuple[str, ...], yes: bool, log_dir: Path | None) -> None:
    """Remove runs from the log directory, each after asking. What is not of the record, such as notes, stays.

    A run in progress is never removed.
    """
    from cooperbench.errors import RunLockedError
    from cooperbench.records.run_lock import is_locked
    from cooperbench.runner.removing import find_run_files, remove_run

    found = [find_run_files(name, log_dir) for name in dict.fromkeys(names)]
    for run in found:
        if is_locked(run.directory):
            name = run.directory.path.name
            raise RunLockedError(f"run {name!r} is in progress", subject=name, hint=f"cooperbench runs watch {name}")
    if not yes and not sys.stdin.isatty():
        raise UsageError("removing runs needs a confirmation", hint=f"cooperbench runs rm {' '.join(names)} --yes")
    for run in found:
        place = run.directory.path
        if not yes and not click.confirm(f"remove {place} ({counted(len(run.files), 'file')})?"):
            continue
        remove_run(run)
        click.echo(f"removed {place}")
        for path in run.others:
            click.echo(f"kept {path}, which is not of the record")
