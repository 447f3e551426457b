"""`cooperbench plot`."""

from pathlib import Path

import click

from cooperbench.cli.options import Amount, log_dir_option, policy_option


@click.command("plot")
@click.argument("kind", type=click.Choice(["rates", "difficulty", "team-size", "messages", "cost"]))
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that ends in .png, .svg or .pdf.  [default: KIND.png]",
)
@click.option(
    "--width",
    type=Amount(1, 40),
    default=3.3,
    show_default=True,
    help="Inches; 3.3 is one column of a two-column paper.",
)
@policy_option
@log_dir_option
def command(
    kind: str, runs: tuple[str, ...], output: Path | None, width: float, policy: str | None, log_dir: Path | None
) -> None:
    """Draw a figure of RUNs: rates with intervals, the difficulty curve, scaling, messages over time, cost against success."""
    from cooperbench.analysis.plots import check_plot, write_plot
    from cooperbench.analysis.samples import read_samples

    target = output or Path(f"{kind}.png")
    check_plot(kind, target)
    write_plot(kind, read_samples(runs, log_dir, policy=policy), target, width=width)
    click.echo(f"written: {target}")
