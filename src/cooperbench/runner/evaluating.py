"""Evaluate a run that is on disk: a session of the engine without episodes to run."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import GroupKey, RunConfig, RunDirectory
from cooperbench.records.episode_state import read_state
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.records.run_lock import locked
from cooperbench.records.run_owner import run_owner
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import open_run
from cooperbench.runner.engine.engine import Engine, FinishedEpisode, Work
from cooperbench.runner.engine.executor import LocalExecutor
from cooperbench.runner.engine.images import ensure_images
from cooperbench.runner.engine.observer import Observer, Silent
from cooperbench.runner.engine.orphans import without_orphans
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.plan import DEMO, Episode, Plan
from cooperbench.runner.planning.preflight import check_evaluations, refuse
from cooperbench.runner.planning.team import assign_features
from cooperbench.runner.running import sum_up
from cooperbench.runner.workers.pool import WorkerPool
from cooperbench.runner.workers.slots import make_slots
from cooperbench.tasks import Task, discover_tasks


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
    """Evaluate every finished episode of a run that has no valid evaluation, and return the whole run, seen under `policy`."""
    options, observer = options or SessionOptions(), observer or Silent()
    options.check()
    directory, config = open_run(name, log_dir)
    policy = options.evaluation.check(policy or options.evaluation.policy or config.policy)
    options = replace(options, evaluation=options.evaluation.model_copy(update={"policy": policy}))
    falsify = options.evaluation.falsify_or(config.falsify)
    asked = config.model_copy(update={"backend": backend or config.backend, "falsify": falsify})
    plan = plan_of(directory, asked, dataset_dir)
    finished = _finished(plan)
    if not finished:
        raise UsageError(f"run {name!r} has no finished episode", subject=name, hint=f"cooperbench runs show {name}")
    tasks = list({episode.task.key: episode.task for episode, _ in finished}.values())
    refuse(check_evaluations(asked, tasks, options.evaluation), "the evaluation")
    with locked(directory), without_orphans(asked.backend, run_owner(directory), observer):
        images = ensure_images(asked.backend, tasks, observer)
        ready = [each for each in finished if each.episode.task.image not in images.broken]
        work = Work([], ready)
        with _services(directory, options) as services, closing(LocalExecutor(services, 0)) as executor:
            end = Engine(plan, work, services, executor, options, observer).run()
        result = sum_up(directory, config, end)
    return result if policy == config.policy else result.seen_under(policy)


def plan_of(directory: RunDirectory, config: RunConfig, dataset_dir: Path | None) -> Plan:
    """Make the plan of a run that is on disk. Raises `UsageError` when its tasks are not in the data set."""
    subset = DEMO if config.tasks.dataset == DEMO else None
    tasks = {task.key: task for task in discover_tasks(dataset_dir, subset)}
    episodes = tuple(_episode(directory, config, group, tasks) for group in config.groups)
    return Plan(config, directory, episodes)


def _finished(plan: Plan) -> list[FinishedEpisode]:
    found = ((episode, read_state(episode.directory, episode.group).completed) for episode in plan.episodes)
    return [FinishedEpisode(episode, result) for episode, result in found if result is not None]


@contextmanager
def _services(directory: RunDirectory, options: SessionOptions) -> Iterator[Services]:
    """Start what evaluations share: neither a mailbox nor a remote."""
    with scratch_directory() as scratch, closing(WorkerPool(scratch=scratch)) as pool:
        yield Services(
            pool,
            owner=run_owner(directory),
            ledger=directory.ledger,
            slots=make_slots(scratch / "slots", options.eval_concurrency),
        )


def _episode(directory: RunDirectory, config: RunConfig, group: GroupKey, tasks: dict[str, Task]) -> Episode:
    key = f"{group.repo}/{group.task_id}"
    if key not in tasks:
        raise UnknownNameError("task", key, tasks, hint="--dataset-dir names the data set that the run was made on")
    members = assign_features(config.team[: len(group.features)], config.setting, group.features)
    return Episode(group, tasks[key], members, directory.episode(config.setting, group))
