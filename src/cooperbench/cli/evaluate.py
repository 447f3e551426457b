"""`cooperbench eval`."""

from pathlib import Path
from typing import Any

import click

from cooperbench.cli.options import (
    ModelOptions,
    dataset_option,
    json_option,
    load_environment_file,
    log_dir_option,
    model_options,
)


@click.command("eval")
@click.option("-n", "--name", required=True, help="Run to evaluate.")
@click.option("--backend", help="Backend that runs the tests.  [default: the run's backend]")
@click.option("--policy", help="Policy that merges and judges submissions.  [default: the run's policy]")
@click.option("-c", "--eval-concurrency", type=int, default=10, show_default=True, help="Evaluations to run at once.")
@click.option(
    "--resolver-model",
    metavar="MODEL",
    help="Model that resolves merge conflicts at temperature 0, as LiteLLM names it; required by the policy cascade.",
)
@model_options
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    default=900.0,
    show_default=True,
    help="Time limit of one feature's tests, installation included, in seconds.",
)
@click.option("--recount", is_flag=True, help="Repair wrong hunk counts in patches, and record whose they were.")
@click.option(
    "--install",
    type=click.Choice(["once", "always"]),
    default="once",
    show_default=True,
    help="once: skip an installation that changed nothing before. always: never skip it.",
)
@click.option(
    "--singles",
    type=click.Choice(["none", "own", "all"]),
    default="own",
    show_default=True,
    help="Features whose tests also run on each member's work alone.",
)
@click.option(
    "--falsify",
    type=click.Choice(["on", "warn", "off"]),
    help="Prove each pass: run it again with broken tests, which it must fail. on: judge by it. warn: only record it.  [default: the run's choice]",
)
@click.option("--force", is_flag=True, help="Rerun evaluations that are still valid.")
@dataset_option
@log_dir_option
@json_option
def command(
    name: str, served: ModelOptions, resolver_model: str | None, log_dir: Path | None, as_json: bool, **choices: Any
) -> int:
    """Merge and test the submissions of a run. Evaluations that are still valid are reused."""
    load_environment_file()
    from cooperbench.cli.display import open_display
    from cooperbench.cli.show import show_outcome
    from cooperbench.runner import evaluate, open_run

    resolver = served.resolver(resolver_model)
    directory, _ = open_run(name, log_dir)
    with open_display(directory, quiet=as_json) as observer:
        result = evaluate(name, log_dir=log_dir, resolver=resolver, observer=observer, **choices)
    return show_outcome(result, as_json=as_json)
