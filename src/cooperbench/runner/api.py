"""Run and evaluate from Python, by the names of the documented interface."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cooperbench.evaluation import read_choices
from cooperbench.records import TIME_LIMIT, EvaluationChoices, Falsify, Install, Limits, Singles
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_result import RunResult, Runs
from cooperbench.runner.dry_run import preview
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.evaluating import evaluate_run
from cooperbench.runner.planning.evaluation_options import EvaluationOptions, ResolverOptions
from cooperbench.runner.planning.experiment import Choices, expand, read_experiment
from cooperbench.runner.planning.plan import make_plan
from cooperbench.runner.planning.request import RunRequest, default_falsify
from cooperbench.runner.running import execute
from cooperbench.tasks.dataset import one_task


def run(
    run_name: str | None = None,
    agent: str | None = None,
    model_name: str | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    agent_config: AnyPath | None = None,
    team: AnyPath | None = None,
    setting: str = "coop",
    subset: str | None = None,
    repo: str | None = None,
    task: int | str | None = None,
    features: Sequence[int] | None = None,
    size: int = 2,
    repeats: int = 1,
    limit: int | None = None,
    backend: str | None = None,
    environment: Mapping[str, Any] | None = None,
    git: bool = False,
    messaging: bool = True,
    redis_url: str | None = None,
    concurrency: int = 20,
    eval_concurrency: int = 10,
    dataset_dir: AnyPath | None = None,
    log_dir: AnyPath | None = None,
    limits: Limits | None = None,
    team_budget: bool = False,
    max_cost: float | None = None,
    policy: str = "naive@1",
    falsify: Falsify | None = None,
    seed: int | None = None,
    force: bool = False,
    auto_eval: bool = True,
    evaluation: EvaluationOptions | None = None,
    retries: int = 2,
    observer: Observer | None = None,
    task_id: int | str | None = None,
) -> RunResult:
    """Let agents work on tasks, evaluate their submissions, and return the run.

    A second call with the same arguments resumes the run: finished episodes are left alone. `task_id` is another
    name for `task`. `features` selects one group of every task; otherwise the groups are those of the subset, or all of `size`
    features. `limit` takes the first so many of them in an order drawn with `seed`, and `repeats` runs each so often: a call with more of
    either adds to the run. `environment` fixes fields of `EnvironmentOptions` such as `network` or `memory_mb`. `limits` apply to each member (with `team_budget`, one agent alone has the sum of a team's), `max_cost` (US dollars) to the run.
    `evaluation` says how submissions are tested, and which model settles conflicts; `falsify`, whether passes are proven.

    Raises `UsageError` before anything is started or written.
    """
    request = RunRequest(
        run_name=run_name,
        agent=agent,
        model_name=model_name,
        config=dict(config) if config is not None else None,
        agent_config=_path(agent_config),
        team=None if team is None else str(team),
        setting=setting,
        subset=subset,
        repo=repo,
        task=one_task(task, task_id),
        features=tuple(features) if features is not None else None,
        size=size,
        repeats=repeats,
        limit=limit,
        backend=backend,
        environment=dict(environment or {}),
        git=git,
        messaging=messaging,
        dataset_dir=_path(dataset_dir),
        log_dir=_path(log_dir),
        limits=limits or Limits(),
        team_budget=team_budget,
        max_cost=max_cost,
        policy=policy,
        falsify=_falsify(falsify, evaluation),
        seed=seed,
    )
    options = SessionOptions(
        concurrency=concurrency,
        eval_concurrency=eval_concurrency,
        retries=retries,
        auto_eval=auto_eval,
        evaluation=evaluation or EvaluationOptions(),
        force=force,
        redis_url=redis_url,
    )
    return execute(make_plan(request), options, observer)


def _falsify(given: Falsify | None, evaluation: EvaluationOptions | None) -> Falsify:
    """Return what a run was asked for. Raises `UsageError` for a word that has no meaning."""
    asked = given or (evaluation.falsify if evaluation else default_falsify())
    return read_choices(EvaluationChoices, falsify=asked).falsify


def run_experiment(
    experiment: AnyPath,
    *,
    dataset_dir: AnyPath | None = None,
    log_dir: AnyPath | None = None,
    concurrency: int = 20,
    eval_concurrency: int = 10,
    auto_eval: bool = True,
    evaluation: EvaluationOptions | None = None,
    retries: int = 2,
    observer: Observer | None = None,
) -> Runs:
    """Run all runs of the file `experiment` (settings x models x repeats), one after the other, and return them.

    A second call resumes them. Raises `UsageError` before anything is started or written.
    """
    request = RunRequest(dataset_dir=_path(dataset_dir), log_dir=_path(log_dir))
    request, choices = read_experiment(Path(experiment).expanduser(), request, Choices((request.setting,)))
    options = SessionOptions(
        concurrency=concurrency,
        eval_concurrency=eval_concurrency,
        retries=retries,
        auto_eval=auto_eval,
        evaluation=evaluation or EvaluationOptions(),
    )
    plans = [make_plan(each) for each in expand(request, choices)]
    for plan in plans:
        preview(plan, options)
    results = []
    for plan in plans:
        results.append(execute(plan, options, observer))
        if results[-1].interrupted:
            break
    return Runs(results)


def evaluate(
    run_name: str,
    *,
    backend: str | None = None,
    policy: str | None = None,
    eval_concurrency: int = 10,
    dataset_dir: AnyPath | None = None,
    log_dir: AnyPath | None = None,
    force: bool = False,
    time_limit: float = TIME_LIMIT,
    recount: bool = False,
    install: Install = "once",
    singles: Singles = "own",
    falsify: Falsify | None = None,
    resolver: ResolverOptions | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Merge and test the submissions of a run, and return the run. Valid evaluations are used again unless `force`.

    `time_limit` is in seconds for one suite. `recount` repairs wrong hunk counts; `install="always"` lets every runner install again;
    `singles` says which suites run on each member's work alone; `falsify`, whether passes are proven; `resolver` settles conflicts.

    Raises `UsageError` for a run or a policy that does not exist, a policy that lacks its resolver, and values that make no sense.
    """
    own = _given(falsify=falsify, resolver=resolver)
    evaluation = read_choices(
        EvaluationOptions, time_limit=time_limit, recount=recount, install=install, singles=singles, **own
    )
    return evaluate_run(
        run_name,
        log_dir=_path(log_dir),
        dataset_dir=_path(dataset_dir),
        backend=backend,
        policy=policy,
        options=SessionOptions(eval_concurrency=eval_concurrency, force=force, evaluation=evaluation),
        observer=observer,
    )


def _given(**values: object) -> dict[str, object]:
    """Leave out what was not given, so that the run's own choice counts."""
    return {name: value for name, value in values.items() if value is not None}


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path).expanduser()
