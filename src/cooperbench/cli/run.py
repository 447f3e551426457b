"""`cooperbench run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cooperbench.cli.evaluate import resolver_options
from cooperbench.cli.options import (
    LONGEST,
    Amount,
    dataset_option,
    json_option,
    load_environment_file,
    log_dir_option,
    parse_features,
)

if TYPE_CHECKING:
    from cooperbench.runner import ResolverOptions, RunRequest, SessionOptions

# Values of these are kept out of the recorded command line: addresses may carry passwords.
_SECRET = frozenset({"--redis"})


@click.command("run")
@click.option("-n", "--name", help="Name of the run.  [default: made of what is run]")
@click.option("-s", "--subset", help="A subset of the data set, such as lite; demo for the bundled tasks.")
@click.option("-r", "--repo", help="Only tasks of this repository.")
@click.option("-t", "--task", help="Only this task.")
@click.option("-f", "--features", help="One group of features, such as 1,2.")
@click.option("--size", type=click.IntRange(1), default=2, show_default=True, help="Features in a group.")
@click.option("-a", "--agent", help="Agent framework: a name of `cooperbench agents list`, or package.module:Class.")
@click.option("-m", "--model", help="Model, as the agent names it.")
@click.option("--agent-config", type=click.Path(path_type=Path), help="YAML file that the agent gets as its config.")
@click.option("--base-url", help="OpenAI-compatible server of the model, such as http://localhost:8000/v1.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the model's key.")
@click.option("--price-table", type=click.Path(path_type=Path), help="YAML file with prices of models.")
@click.option("--team", help="The members, such as mini_swe_agent:gpt-4o,my_agent:claude-sonnet-4-5, or a YAML file.")
@click.option("--setting", default="coop", show_default=True, help="solo, coop or team.")
@click.option("--backend", help="Where sandboxes run.  [default: local for demo, docker otherwise]")
@click.option("--git", is_flag=True, help="Give the team a shared git remote.")
@click.option("--no-messaging", is_flag=True, help="Members cannot send messages.")
@click.option("--redis", "redis_url", help="Redis for the messages.  [default: an embedded one]")
@click.option("-c", "--concurrency", type=int, default=20, show_default=True, help="Episodes at the same time.")
@click.option(
    "--step-limit", type=click.IntRange(0), default=100, show_default=True, help="Model calls of a member; 0 is none."
)
@click.option("--token-limit", type=click.IntRange(1), help="Tokens of a member.")
@click.option("--cost-limit", type=Amount(0), default=3.0, show_default=True, help="US dollars of a member; 0 is none.")
@click.option(
    "--wall-time",
    type=Amount(0, LONGEST, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds of a member.",
)
@click.option(
    "--command-timeout",
    type=Amount(0, LONGEST, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds of a command.",
)
@click.option("--max-cost", type=Amount(0, min_open=True), help="US dollars for the whole run.")
@click.option("--network", type=click.Choice(["default", "none", "full"]), help="Network of the sandboxes.")
@click.option("--memory", type=int, metavar="MB", help="Memory of a sandbox.")
@click.option("--cpus", type=float, help="Processors of a sandbox.")
@click.option("--processes", type=int, help="Processes in a sandbox.")
@click.option("--allow-unsandboxed", is_flag=True, help="Run local sandboxes also where nothing can isolate them.")
@click.option("--policy", default="naive@1", show_default=True, help="How submissions are merged and judged.")
@click.option(
    "--resolver-model",
    metavar="MODEL",
    help="Model that settles conflicts for the policy cascade; --base-url, --api-key-env and --price-table are its too.",
)
@click.option("--no-auto-eval", is_flag=True, help="Do not evaluate.")
@click.option("--eval-concurrency", type=int, default=10, show_default=True, help="Evaluations at the same time.")
@click.option(
    "--retries", type=click.IntRange(0), default=2, show_default=True, help="Repetitions after a passing failure."
)
@click.option("--seed", type=int, help="Recorded, and given to agents that take one.")
@click.option("--force", is_flag=True, help="Repeat what is finished, also with another configuration.")
@click.option("--dry-run", is_flag=True, help="Show what would be run, and do nothing.")
@dataset_option
@log_dir_option
@json_option
def command(**values: Any) -> int:
    """Let agents work on tasks. The same command again resumes the run.

    \b
    cooperbench run -s demo -a gold
    cooperbench run -n exp1 -s lite -a mini_swe_agent -m gpt-4o -c 30
    """
    load_environment_file()
    from cooperbench.runner import execute, make_plan, preview

    options = _session(values)
    plan = make_plan(_request(values))
    if values["dry_run"]:
        from cooperbench.cli.preview import show_preview
        from cooperbench.runner.needs import find_needs

        found = preview(plan, options)
        needs = find_needs(found.config, plan.tasks, redis_url=options.redis_url)
        show_preview(found, needs, as_json=values["as_json"])
        return 0
    from cooperbench.cli.display import open_display
    from cooperbench.cli.show import show_outcome

    with open_display(plan.directory, quiet=values["as_json"]) as observer:
        result = execute(plan, options, observer)
    return show_outcome(result, as_json=values["as_json"], judged=options.auto_eval)


def _model_section(values: dict[str, Any]) -> dict[str, Any] | None:
    """What the options say about the model, as agents get it: in the section `model` of their configuration."""
    table = values["price_table"]
    given = {
        "base_url": values["base_url"],
        "api_key_env": values["api_key_env"],
        "price_table": str(table.resolve()) if table else None,
    }
    section = {name: value for name, value in given.items() if value is not None}
    return {"model": section} if section else None


def _request(values: dict[str, Any]) -> "RunRequest":
    from cooperbench.records import Limits
    from cooperbench.runner import RunRequest

    environment: dict[str, Any] = {"allow_unsandboxed": True} if values["allow_unsandboxed"] else {}
    names = {"network": "network", "memory": "memory_mb", "cpus": "cpus", "processes": "processes"}
    return RunRequest(
        run_name=values["name"],
        agent=values["agent"],
        model_name=values["model"],
        config=_model_section(values),
        agent_config=values["agent_config"],
        team=values["team"],
        setting=values["setting"],
        subset=values["subset"],
        repo=values["repo"],
        task=values["task"],
        features=parse_features(values["features"]),
        size=values["size"],
        backend=values["backend"],
        environment=environment | {field: values[name] for name, field in names.items() if values[name] is not None},
        git=values["git"],
        messaging=not values["no_messaging"],
        dataset_dir=values["dataset_dir"],
        log_dir=values["log_dir"],
        limits=Limits(
            steps=values["step_limit"] or None,
            tokens=values["token_limit"],
            cost=values["cost_limit"] or None,
            wall_time=values["wall_time"],
            command_time=values["command_timeout"],
        ),
        max_cost=values["max_cost"],
        policy=values["policy"],
        seed=values["seed"],
        command=_scrubbed(sys.argv),
    )


def _session(values: dict[str, Any]) -> "SessionOptions":
    from cooperbench.runner import EvaluationOptions, SessionOptions

    return SessionOptions(
        concurrency=values["concurrency"],
        eval_concurrency=values["eval_concurrency"],
        retries=values["retries"],
        auto_eval=not values["no_auto_eval"],
        evaluation=EvaluationOptions(resolver=_resolver(values)),
        force=values["force"],
        redis_url=values["redis_url"],
    )


def _resolver(values: dict[str, Any]) -> "ResolverOptions | None":
    # Without a resolver the same options are those of the agents' model alone.
    if values["resolver_model"] is None:
        return None
    names = ("resolver_model", "base_url", "api_key_env", "price_table")
    return resolver_options(*(values[name] for name in names))


def _scrubbed(arguments: list[str]) -> tuple[str, ...]:
    """The command line as it may be recorded."""
    words = [Path(arguments[0]).name]
    hide = False
    for word in arguments[1:]:
        name, equals, _ = word.partition("=")
        if hide:
            words.append("***")
        elif equals and name in _SECRET:
            words.append(f"{name}=***")
        else:
            words.append(word)
        hide = not hide and word in _SECRET
    return tuple(words)
