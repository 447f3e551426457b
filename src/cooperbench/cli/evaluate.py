"""`cooperbench eval`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.options import dataset_option, json_option, load_environment_file, log_dir_option
from cooperbench.errors import UsageError

if TYPE_CHECKING:
    from cooperbench.evaluation import Install, Singles
    from cooperbench.runner import ResolverOptions


@click.command("eval")
@click.option("-n", "--name", required=True, help="The run.")
@click.option("--backend", help="Where the tests run.  [default: the run's backend]")
@click.option("--policy", help="How submissions are merged and judged.  [default: the run's policy]")
@click.option("-c", "--eval-concurrency", type=int, default=10, show_default=True, help="Evaluations at the same time.")
@click.option(
    "--resolver-model",
    metavar="MODEL",
    help="Model that settles conflicts at temperature 0, as LiteLLM names it; the policy cascade needs one.",
)
@click.option("--base-url", help="OpenAI-compatible server of that model, such as http://localhost:8000/v1.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds that model's key.")
@click.option("--price-table", type=click.Path(path_type=Path), help="YAML file with that model's prices.")
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    default=900.0,
    show_default=True,
    help="Seconds of one feature's tests, installation included.",
)
@click.option("--recount", is_flag=True, help="Repair patches with wrong hunk counts; whose they were is recorded.")
@click.option(
    "--install",
    type=click.Choice(["once", "always"]),
    default="once",
    show_default=True,
    help="Leave out a runner's installation where it was seen to change nothing, or never.",
)
@click.option(
    "--singles",
    type=click.Choice(["none", "own", "all"]),
    default="own",
    show_default=True,
    help="Which features' tests run on each member's work alone.",
)
@click.option("--force", is_flag=True, help="Repeat valid evaluations.")
@dataset_option
@log_dir_option
@json_option
def command(
    name: str,
    backend: str | None,
    policy: str | None,
    eval_concurrency: int,
    resolver_model: str | None,
    base_url: str | None,
    api_key_env: str | None,
    price_table: Path | None,
    time_limit: float,
    recount: bool,
    install: "Install",
    singles: "Singles",
    force: bool,
    dataset_dir: Path | None,
    log_dir: Path | None,
    as_json: bool,
) -> int:
    """Merge and test what a run's agents handed in. Evaluations that are still valid are used again."""
    load_environment_file()
    from cooperbench.cli.display import open_display
    from cooperbench.cli.show import show_outcome
    from cooperbench.runner import evaluate, open_run

    resolver = resolver_options(resolver_model, base_url, api_key_env, price_table)
    directory, _ = open_run(name, log_dir)
    with open_display(directory, quiet=as_json) as observer:
        result = evaluate(
            name,
            backend=backend,
            policy=policy,
            eval_concurrency=eval_concurrency,
            dataset_dir=dataset_dir,
            log_dir=log_dir,
            force=force,
            time_limit=time_limit,
            recount=recount,
            install=install,
            singles=singles,
            resolver=resolver,
            observer=observer,
        )
    return show_outcome(result, as_json=as_json)


def resolver_options(
    model: str | None, base_url: str | None, api_key_env: str | None, price_table: Path | None
) -> "ResolverOptions | None":
    """The resolver that the options name, if they do. Raises `UsageError` where they say something of one and not which."""
    from cooperbench.runner import ResolverOptions

    if model is not None:
        return ResolverOptions(
            model=model, base_url=base_url, api_key_env=api_key_env, price_table=price_table and price_table.resolve()
        )
    if base_url or api_key_env or price_table:
        raise UsageError("--base-url, --api-key-env and --price-table belong to --resolver-model, which is not given")
    return None
