"""`cooperbench run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cooperbench.cli.options import (
    YEAR,
    Amount,
    ModelOptions,
    dataset_option,
    json_option,
    load_environment_file,
    log_dir_option,
    model_options,
    parse_features,
    repo_option,
    subset_option,
    task_option,
)
from cooperbench.cli.sharing import carry_out, claim_options, ray_options, sharing_options

if TYPE_CHECKING:
    from cooperbench.runner import Plan, RunRequest, SessionOptions

# Their values are not recorded: addresses may carry passwords.
_SECRET = frozenset({"--redis"})

_SECONDS = Amount(0, YEAR, min_open=True)


@click.command("run")
@click.option("-n", "--name", help="Run name.  [default: derived from setting, agent, model and tasks]")
@subset_option
@repo_option
@task_option
@click.option("-f", "--features", help="Only this group of features, such as 1,2.")
@click.option("--size", type=click.IntRange(1), default=2, show_default=True, help="Features per group.")
@click.option("-k", "--repeats", type=click.IntRange(1), default=1, show_default=True, help="Times to run each group.")
@click.option(
    "--limit", type=click.IntRange(1), help="Only the first groups of an order drawn with --seed; raise it to add more."
)
@click.option("-a", "--agent", help="Agent: a name from `cooperbench agents list`, or package.module:Class.")
@click.option(
    "-m", "--model", "models", multiple=True, help="Model name, passed to the agent; several make a run each."
)
@click.option("--agent-config", type=click.Path(path_type=Path), help="YAML file with the agent's configuration.")
@model_options
@click.option(
    "--team",
    "teams",
    multiple=True,
    help="Members, such as mini_swe_agent:gpt-4o,my_agent:claude-sonnet-4-5, or a YAML file; several make a run each.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    default=("coop",),
    show_default=True,
    help="solo, coop, team or native; several make a run each.",
)
@click.option(
    "--experiment",
    type=click.Path(path_type=Path),
    help="YAML file with the settings, models and repeats of a set of runs.",
)
@click.option("--backend", help="Backend that runs the sandboxes.  [default: local for -s demo, else docker]")
@click.option("--git", is_flag=True, help="Give the team a shared git remote.")
@click.option("--no-messaging", is_flag=True, help="Do not let members send messages.")
@click.option(
    "--redis",
    "redis_url",
    metavar="URL",
    help="Redis server for messages, and for providers' limits shared by machines.  [default: an embedded one]",
)
@click.option("-c", "--concurrency", type=int, default=20, show_default=True, help="Episodes to run at once.")
@click.option(
    "--step-limit",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Limit of model calls per agent; 0 for none.",
)
@click.option("--token-limit", type=click.IntRange(1), help="Token limit per agent.")
@click.option(
    "--cost-limit",
    type=Amount(0),
    default=3.0,
    show_default=True,
    help="Cost limit per agent, in US dollars; 0 for none.",
)
@click.option(
    "--wall-time", type=_SECONDS, default=3600.0, show_default=True, help="Wall-clock limit per agent, in seconds."
)
@click.option(
    "--command-timeout",
    type=_SECONDS,
    default=120.0,
    show_default=True,
    help="Default timeout of a command, in seconds.",
)
@click.option("--team-budget", is_flag=True, help="Solo: give the agent the sum of the limits of a team's members.")
@click.option("--max-cost", type=Amount(0, min_open=True), help="Cost limit of the whole run, in US dollars.")
@click.option(
    "--network",
    type=click.Choice(["default", "none", "allowlist", "full"]),
    help="Network of a sandbox; full is the internet, never the host's own networks.  [default: none on local, else full]",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="HOST",
    multiple=True,
    help="Host that --network allowlist leaves; repeatable.",
)
@click.option("--memory", type=int, metavar="MB", help="Memory limit per sandbox.")
@click.option("--cpus", type=float, help="Processor limit per sandbox.")
@click.option("--processes", type=int, help="Process limit per sandbox.")
@click.option("--allow-unsandboxed", is_flag=True, help="Run local sandboxes even if nothing can isolate them.")
@click.option("--policy", default="naive@1", show_default=True, help="Policy that merges and judges submissions.")
@click.option(
    "--resolver-model",
    metavar="MODEL",
    help="Model that resolves merge conflicts, for the policy cascade. --base-url, --api-key-env and --price-table also "
    "apply to this model.",
)
@click.option(
    "--falsify",
    type=click.Choice(["on", "warn", "off"]),
    help="Prove each pass: run it again with broken tests, which it must fail. on: judge by it. warn: only record it.  "
    "[default: $COOPERBENCH_FALSIFY or on]",
)
@click.option("--no-auto-eval", is_flag=True, help="Do not evaluate.")
@click.option("--eval-concurrency", type=int, default=10, show_default=True, help="Evaluations to run at once.")
@click.option(
    "--retries", type=click.IntRange(0), default=2, show_default=True, help="Retries after a transient failure."
)
@click.option(
    "--seed", type=int, help="Seed of the models of the first repeat, one more for each next one, and of --limit."
)
@sharing_options
@click.option("--force", is_flag=True, help="Rerun finished episodes, even with another configuration.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and stop.")
@dataset_option
@log_dir_option
@json_option
@click.pass_context
def command(context: click.Context, /, **values: Any) -> int:
    """Run agents on tasks. Repeat the command to resume the run.

    \b
    cooperbench run -s demo -a gold
    cooperbench run -n exp1 -s lite -a mini_swe_agent -m gpt-4o -c 30
    """
    load_environment_file()
    from cooperbench.cli.several import run_several, show_plan
    from cooperbench.runner import make_plan

    options = _session(values)
    ray = ray_options(values, all_at_once=context.get_parameter_source("concurrency") is not ParameterSource.DEFAULT)
    plans = [make_plan(request) for request in _requests(values, context.obj or ())]
    if len(plans) > 1:
        return run_several(plans, options, ray, dry_run=values["dry_run"], as_json=values["as_json"])
    [plan] = plans
    if values["dry_run"]:
        show_plan(plan, options, ray, as_json=values["as_json"])
        return 0
    from cooperbench.cli.display import open_display
    from cooperbench.cli.show import show_outcome

    with open_display(plan.directory, quiet=values["as_json"]) as observer:
        result = carry_out(plan, options, observer, ray)
    part = None if options.claims is None else [each.group for each in options.claims.part(plan.episodes)]
    return show_outcome(result, as_json=values["as_json"], judged=options.auto_eval, part=part)


def plans_of(words: tuple[str, ...]) -> "tuple[list[Plan], SessionOptions]":
    """Read the words of a command line after `run`, and plan its runs. Raises what the command itself would."""
    from cooperbench.runner import make_plan

    values = command.make_context("cooperbench run", list(words)).params
    values["served"] = ModelOptions(*(values.pop(name) for name in ModelOptions._fields))
    return [make_plan(request) for request in _requests(values, words)], _session(values)


def _requests(values: dict[str, Any], words: tuple[str, ...]) -> "list[RunRequest]":
    """Return a request for each run that the command asks for."""
    from cooperbench.runner.planning.experiment import Choices, expand, read_experiment

    request, choices = _request(values, words), Choices(values["settings"], values["models"], values["teams"])
    if values["experiment"] is not None:
        request, choices = read_experiment(values["experiment"], request, choices)
    return expand(request, choices)


def _request(values: dict[str, Any], words: tuple[str, ...]) -> "RunRequest":
    from cooperbench.records import Limits
    from cooperbench.runner import RunRequest
    from cooperbench.runner.planning.request import default_falsify

    return RunRequest(
        run_name=values["name"],
        agent=values["agent"],
        config=values["served"].section(),
        agent_config=values["agent_config"],
        subset=values["subset"],
        repo=values["repo"],
        task=values["task_id"],
        features=parse_features(values["features"]),
        size=values["size"],
        repeats=values["repeats"],
        limit=values["limit"],
        backend=values["backend"],
        environment=_environment(values),
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
        team_budget=values["team_budget"],
        max_cost=values["max_cost"],
        policy=values["policy"],
        falsify=values["falsify"] or default_falsify(),
        seed=values["seed"],
        command=_scrubbed(words),
    )


def _environment(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of environments that were given."""
    names = {"network": "network", "memory": "memory_mb", "cpus": "cpus", "processes": "processes"}
    given = {field: values[name] for name, field in names.items() if values[name] is not None}
    flags = {name: values[name] for name in ("allow_unsandboxed", "allowed_hosts") if values[name]}
    return given | flags


def _session(values: dict[str, Any]) -> "SessionOptions":
    from cooperbench.runner import EvaluationOptions, SessionOptions

    model = values["resolver_model"]
    # Without a resolver, the options of a model are those of the agents' alone.
    resolver = None if model is None else values["served"].resolver(model)
    return SessionOptions(
        concurrency=values["concurrency"],
        eval_concurrency=values["eval_concurrency"],
        retries=values["retries"],
        auto_eval=not values["no_auto_eval"],
        evaluation=EvaluationOptions(resolver=resolver),
        force=values["force"],
        redis_url=values["redis_url"],
        claims=claim_options(values),
    )


def _scrubbed(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command line without secrets, to be recorded."""
    kept = ["cooperbench"]
    hide = False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide:
            kept.append("***")
        elif equals and name in _SECRET:
            kept.append(f"{name}=***")
        else:
            kept.append(word)
        hide = not hide and word in _SECRET
    return tuple(kept)
