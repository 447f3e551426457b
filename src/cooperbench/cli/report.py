"""`cooperbench report`."""

from pathlib import Path

import click

from cooperbench.cli.options import log_dir_option, policy_option
from cooperbench.cli.report_output import format_option, only_option, output_option, print_report


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--by",
    type=click.Choice(["repo", "task", "model", "language", "size", "setting"]),
    help="Divide each run by this.",
)
@policy_option
@click.option("--paper", is_flag=True, help="The tables of the CooperBench paper, with the published values beside.")
@only_option
@format_option
@output_option
@log_dir_option
def command(
    runs: tuple[str, ...],
    by: str | None,
    policy: str | None,
    paper: bool,
    only: tuple[str, ...],
    kind: str,
    output: Path | None,
    log_dir: Path | None,
) -> None:
    """Print rates, conflicts, costs and what is missing of RUNs, with intervals that know about pools of features.

    \b
    cooperbench report solo coop
    cooperbench report coop --by repo --format latex -o tables.tex
    cooperbench report solo coop --paper
    """
    from cooperbench.analysis.samples import read_samples

    samples = read_samples(runs, log_dir, policy=policy)
    if paper:
        from cooperbench.analysis.paper import make_paper_report
        from cooperbench.errors import UsageError

        if by is not None:
            raise UsageError("--paper and --by exclude each other", hint="omit one of them")
        print_report(make_paper_report(samples), kind, output, only)
        return
    from cooperbench.analysis.report import make_report
    from cooperbench.analysis.tables.slices import By

    print_report(make_report(samples, By(by) if by else None), kind, output, only)
