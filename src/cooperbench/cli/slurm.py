"""`cooperbench submit slurm`."""

import sys
from typing import TYPE_CHECKING

import click

from cooperbench.cli.output import console
from cooperbench.cli.typed import print_next
from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from cooperbench.runner import Plan


@click.command("slurm")
@click.option("--array", "processes", type=click.IntRange(1), default=8, show_default=True, help="Processes to start.")
@click.option(
    "--sbatch",
    "options",
    metavar="OPTION",
    multiple=True,
    help="Option of sbatch, such as --sbatch=--partition=low; repeatable.",
)
@click.option("--print", "only_print", is_flag=True, help="Print the script, to be edited and submitted with sbatch.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- run ...")
def slurm(processes: int, options: tuple[str, ...], only_print: bool, words: tuple[str, ...]) -> None:
    """Submit an array of processes that share a run, each taking episodes until all are finished.

    Everything that they use must lie on a disk that all nodes see: this installation, the log directory, the data set.

    \b
    cooperbench submit slurm --array 16 -- run -s lite -a my_agent -m gpt-4o
    """
    from cooperbench.records import RunDirectory
    from cooperbench.runner.engine.shared_directory import agree_on_config, check_file_system
    from cooperbench.runner.slurm import batch_script, submit

    plans, shared = _plans(words)
    log_dir = plans[0].directory.path.parent
    logs = plans[0].directory.path / "slurm"
    line = [sys.executable, "-m", "cooperbench.cli.main", *shared, "--log-dir", str(log_dir)]
    script = batch_script(plans[0].config.run, line, logs, processes=processes, options=options)
    if only_print:
        click.echo(script, nl=False)
        return
    for plan in plans:
        check_file_system(plan.directory)
        agree_on_config(plan.directory, plan.config)
        plan.directory.job.parent.mkdir(exist_ok=True)
    number = submit([RunDirectory(plan.directory.path) for plan in plans], script)
    console().print(f"job {number}: {processes} processes; its output is in {logs}", markup=False, soft_wrap=True)
    print_next(f"cooperbench runs watch {plans[0].config.run}", log_dir=log_dir)


def _plans(words: tuple[str, ...]) -> "tuple[list[Plan], list[str]]":
    """Check a command line of `run`; return its plans, and the words with which processes share it."""
    from cooperbench.cli.run import plans_of
    from cooperbench.runner import preview

    if words[0] != "run":
        raise UsageError(
            f"{words[0]!r} cannot be submitted", subject=words[0], hint="cooperbench submit slurm -- run ..."
        )
    shared = list(words)
    if not any(word == "--claim" or word.split("=")[0] == "--shard" for word in words):
        shared.append("--claim")
    plans, options = plans_of(tuple(shared[1:]))
    for plan in plans:
        preview(plan, options)
    return plans, shared
