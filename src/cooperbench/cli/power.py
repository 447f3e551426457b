"""`cooperbench power`."""

import math
from pathlib import Path

import click

from cooperbench.cli.options import Amount, log_dir_option, policy_option
from cooperbench.cli.output import print_json


@click.command("power")
@click.argument("runs", nargs=-1, metavar="[RUN [RUN]]")
@click.option("--groups", type=click.IntRange(min=2), help="Groups that both runs have.")
@click.option(
    "--effect", type=Amount(0, 100, min_open=True), help="Difference of the pass rates, in percentage points."
)
@click.option(
    "--icc", type=Amount(-1, 1), help="Correlation of groups in the same pool.  [default: 0, or that of the runs]"
)
@click.option(
    "--discordant",
    type=Amount(0, 1, min_open=True),
    help="Share of groups that only one of the two passes.  [default: 0.3, or that of the runs]",
)
@click.option("--pool-size", type=Amount(1), help="Groups in a pool.  [default: as in the published data set]")
@click.option("--power", "target", type=Amount(0, 1, min_open=True, max_open=True), default=0.8, show_default=True)
@click.option("--alpha", type=Amount(0, 1, min_open=True, max_open=True), default=0.05, show_default=True)
@policy_option
@log_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    runs: tuple[str, ...],
    groups: int | None,
    effect: float | None,
    icc: float | None,
    discordant: float | None,
    pool_size: float | None,
    target: float,
    alpha: float,
    policy: str | None,
    log_dir: Path | None,
    as_json: bool,
) -> None:
    """Plan a comparison: what so many groups can show, or how many groups an effect needs.

    RUNs, if named, give the correlation, the discordance and the size of pools: two runs to be compared, or one with several
    attempts at each group.

    \b
    cooperbench power --groups 50 --icc .1
    cooperbench power --effect 5 solo coop
    """
    from dataclasses import asdict

    from cooperbench.analysis.planning import Assumptions, assumptions_of, plan_sentences, with_given
    from cooperbench.analysis.statistics import power

    known = assumptions_of(runs, log_dir, policy=policy) if runs else Assumptions()
    known = with_given(known, icc=icc, discordant=discordant, pool_size=pool_size)
    asked = groups if groups is not None or effect is not None else known.groups
    rest = {"target": target, "alpha": alpha, "icc": known.icc, "discordant": known.discordant}
    plan = power(asked, None if effect is None else effect / 100, pool_size=known.pool_size, **rest)
    if as_json:
        shown = None if math.isnan(plan.effect) else plan.effect  # JSON has no NaN
        print_json({**asdict(plan), "effect": shown, "independent": plan.independent, "source": known.source})
    for line in () if as_json else plan_sentences(plan, known):
        click.echo(line)
