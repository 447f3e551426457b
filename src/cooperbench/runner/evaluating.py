"""Evaluating a run that lies on disk."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import EpisodeResult, GroupKey, RunConfig, RunDirectory
from cooperbench.records.episode_state import read_state
from cooperbench.records.ledger import RunLedger
from cooperbench.records.live import Counts
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import RunResult, open_run
from cooperbench.records.summary import read_episodes, summarize, write_summary
from cooperbench.runner.engine.circuit_breaker import CircuitBreaker
from cooperbench.runner.engine.evaluations import evaluate_one, failure_of
from cooperbench.runner.engine.images import ensure_images
from cooperbench.runner.engine.progress import Observer, Silent
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.engine.signals import handled
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.plan import DEMO, Episode, Plan
from cooperbench.runner.planning.team import assign_features
from cooperbench.runner.workers.pool import WorkerPool
from cooperbench.runner.workers.slots import LOOK_AHEAD, make_slots
from cooperbench.tasks import Task, discover_tasks


def plan_of(directory: RunDirectory, config: RunConfig, dataset_dir: Path | None) -> Plan:
    """The plan of a run that lies on disk. Raises `UsageError` when its tasks are not in the data set."""
    subset = DEMO if config.tasks.dataset == DEMO else None
    tasks = {task.key: task for task in discover_tasks(dataset_dir, subset)}
    episodes = tuple(_episode(directory, config, group, tasks) for group in config.groups)
    return Plan(config, directory, episodes)


def evaluate_run(
    name: str,
    *,
    log_dir: Path | None = None,
    dataset_dir: Path | None = None,
    backend: str | None = None,
    policy: str | None = None,
    options: SessionOptions | None = None,
    observer: Observer | None = None,
) -> RunResult:
    """Judge every finished episode of a run that has no valid evaluation, and return the whole run."""
    options, observer = options or SessionOptions(), observer or Silent()
    options.check()
    directory, config = open_run(name, log_dir)
    plan = plan_of(directory, config, dataset_dir)
    policy = options.evaluation.check(policy or config.policy)
    asked = config.model_copy(update={"backend": backend or config.backend, "policy": policy})
    finished = [
        (episode, result)
        for episode in plan.episodes
        if (result := read_state(episode.directory, episode.group).completed) is not None
    ]
    if not finished:
        raise UsageError(f"run {name!r} has no finished episode", subject=name, hint=f"cooperbench runs show {name}")
    with ExitStack() as stack:
        stack.enter_context(locked(directory))
        images = ensure_images(
            asked.backend, list({episode.task.key: episode.task for episode, _ in finished}.values())
        )
        for image, failure in images.broken.items():
            observer.note(f"image {image}: {failure.message}" + (f" ({failure.hint})" if failure.hint else ""))
        scratch = stack.enter_context(scratch_directory())
        slots = make_slots(scratch / "slots", options.eval_concurrency)
        services = Services(stack.enter_context(WorkerPool(scratch=scratch)), ledger=directory.ledger, slots=slots)
        ready = [(episode, result) for episode, result in finished if episode.task.image not in images.broken]
        observer.begin(plan, _counts(plan, finished, 0, 0))
        stopped = _judge(plan, ready, asked, services, options, observer)
        episodes = read_episodes(directory, config)
        summary = write_summary(directory, summarize(directory, config, episodes))
    return RunResult(directory.path, config, summary, episodes, services.stop.is_set(), stopped)


def _judge(
    plan: Plan,
    finished: list[tuple[Episode, EpisodeResult]],
    config: RunConfig,
    services: Services,
    options: SessionOptions,
    observer: Observer,
) -> str:
    """Judge them all, and return why that was stopped early, if it was."""
    done = passed = 0
    stopped = ""
    breaker = CircuitBreaker(len({episode.task.key for episode, _ in finished}), options.eval_concurrency)
    with ThreadPoolExecutor(options.eval_concurrency + LOOK_AHEAD, thread_name_prefix="evaluation") as threads:
        futures = {threads.submit(evaluate_one, episode, config, options, services): episode for episode, _ in finished}

        def interrupt() -> None:
            services.stop.set()
            for future in futures:
                future.cancel()
            observer.note("interrupted; the same command continues")

        with handled(interrupt, lambda: None):
            for future in as_completed(futures):
                if future.cancelled():
                    continue
                verdict = future.result()
                done += 1
                passed += getattr(getattr(verdict, "verdict", None), "passed", False)
                observer.evaluated(futures[future].group, verdict)
                observer.tick(_counts(plan, finished, done, passed))
                if failure := breaker.note(futures[future].task.key, failure_of(verdict)):
                    stopped = f"every evaluation fails with {failure.kind}: {failure.message}"
                    for waiting in futures:
                        waiting.cancel()
    observer.end(_counts(plan, finished, done, passed))
    return stopped


def _counts(plan: Plan, finished: list[tuple[Episode, EpisodeResult]], done: int, passed: int) -> Counts:
    priced = all(result.total_cost is not None for _, result in finished)
    return Counts(
        planned=len(plan.episodes),
        reused=len(finished),
        completed=len(finished),
        running=0,
        capacity=0,
        infra_errors=0,
        evaluated=done,
        passed=passed,
        cost=RunLedger(plan.directory.ledger).total() if priced else None,
        seconds=0.0,
    )


def _episode(directory: RunDirectory, config: RunConfig, group: GroupKey, tasks: dict[str, Task]) -> Episode:
    key = f"{group.repo}/{group.task_id}"
    if key not in tasks:
        raise UnknownNameError("task", key, tasks, hint="--dataset-dir names the data set that the run was made on")
    members = assign_features(config.team[: len(group.features)], config.setting, group.features)
    return Episode(group, tasks[key], members, directory.episode(config.setting, group))
