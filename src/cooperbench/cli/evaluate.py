"""`cooperbench eval`."""

from pathlib import Path

import click

from cooperbench.cli.options import dataset_option, json_option, load_environment_file, log_dir_option


@click.command("eval")
@click.option("-n", "--name", required=True, help="The run.")
@click.option("--backend", help="Where the tests run.  [default: the run's backend]")
@click.option("--policy", help="How submissions are merged and judged.  [default: the run's policy]")
@click.option("-c", "--eval-concurrency", type=int, default=10, show_default=True, help="Evaluations at the same time.")
@click.option("--force", is_flag=True, help="Repeat valid evaluations.")
@dataset_option
@log_dir_option
@json_option
def command(
    name: str,
    backend: str | None,
    policy: str | None,
    eval_concurrency: int,
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
            observer=observer,
        )
    return show_outcome(result, as_json=as_json)
