"""`cooperbench compare`."""

from pathlib import Path

import click

from cooperbench.cli.options import log_dir_option, policy_option
from cooperbench.cli.report_output import format_option, only_option, output_option, print_report


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="A B...")
@policy_option
@click.option("--anyway", is_flag=True, help="Compare runs of different data, policies or budgets.")
@click.option(
    "--flips",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Most groups to list in each direction; 0 for all.",
)
@only_option
@format_option
@output_option
@log_dir_option
def command(
    runs: tuple[str, ...],
    policy: str | None,
    anyway: bool,
    flips: int,
    only: tuple[str, ...],
    kind: str,
    output: Path | None,
    log_dir: Path | None,
) -> None:
    """Compare run A with each other run on the groups that both have. Solo against coop is the coordination gap.

    The first line says what may be concluded. Several comparisons are adjusted with Holm's method.

    \b
    cooperbench compare solo coop
    """
    from cooperbench.analysis.compare import make_comparison
    from cooperbench.analysis.samples import read_samples

    samples = read_samples(runs, log_dir, policy=policy)
    print_report(make_comparison(samples, anyway=anyway, flips=flips), kind, output, only)
