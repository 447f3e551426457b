"""Run a plan: check, lock, prepare, work, sum up."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

from cooperbench.errors import RecordError
from cooperbench.records import Failure, RunConfig, RunDirectory
from cooperbench.records.claims import Claimant
from cooperbench.records.run_lock import locked
from cooperbench.records.run_result import RunResult
from cooperbench.records.summary import concurrency_achieved, read_episodes, summarize, write_summary
from cooperbench.runner.dry_run import preview
from cooperbench.runner.engine.claimed_queue import ClaimedQueue
from cooperbench.runner.engine.claims import Claims
from cooperbench.runner.engine.engine import Engine, SessionEnd, Work, find_work
from cooperbench.runner.engine.executor import Executor, LocalExecutor
from cooperbench.runner.engine.images import Images, ensure_images
from cooperbench.runner.engine.observer import Observer, Silent
from cooperbench.runner.engine.orphans import without_orphans
from cooperbench.runner.engine.session import SessionOptions, open_services
from cooperbench.runner.engine.shared_directory import agree_on_config, check_file_system
from cooperbench.runner.episodes.episode import clear_episode
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.planning.preflight import preflight, refuse
from cooperbench.runner.planning.resume import write_config

MakeExecutor = Callable[[Services, int], Executor]


def execute(
    plan: Plan,
    options: SessionOptions,
    observer: Observer | None = None,
    make_executor: MakeExecutor = LocalExecutor,
) -> RunResult:
    """Run what is not yet finished, evaluate it, and return the whole run. `make_executor` says where episodes run.

    Raises `UsageError`, `RunMismatchError` and `RunLockedError` before anything is written or started.
    """
    observer = observer or Silent()
    options = options.fitting(plan.config.team)
    found = preview(plan, options)
    if found.to_run:
        evaluation = options.evaluation if options.auto_eval else None
        refuse(preflight(found.config, plan.tasks, evaluation, plan.team), "the run")
    for note in found.notes:
        observer.note(note)
    claims = None
    if options.claims is not None:
        check_file_system(plan.directory)
        claims = Claims(options.claims, Claimant.of_this_process(options.claims.token))
    with ExitStack() as stack:
        services = stack.enter_context(
            open_services(found.config, plan.directory, options, claims.me.token if claims else "")
        )
        images = ensure_images(found.config.backend, plan.tasks, observer, at_least_one=found.to_run > 0)
        stack.enter_context(locked(plan.directory, shared=claims is not None))
        stack.enter_context(without_orphans(found.config.backend, services.owner, observer))
        plan = replace(plan, config=_with_digests(found.config, images))
        plan, options = _settled(plan, options), replace(options, force=False)
        services.pool.wait_until_ready()
        executor = stack.enter_context(closing(make_executor(services, options.concurrency)))
        work = find_work(plan, images.broken, observer) if claims is None else _shared_work(plan, claims, images.broken)
        queue = None if claims is None else _shared_queue(work, claims, options, executor)
        end = Engine(plan, work, services, executor, options, observer, queue).run()
        return sum_up(plan.directory, plan.config, end, requested_concurrency=options.concurrency)


def _with_digests(config: RunConfig, images: Images) -> RunConfig:
    return config.model_copy(update={"image_digests": {**config.image_digests, **images.digests}})


def _settled(plan: Plan, options: SessionOptions) -> Plan:
    """Write the configuration, or agree with other processes on one. Return the plan with it."""
    if options.claims is not None:
        return replace(plan, config=agree_on_config(plan.directory, plan.config))
    start_afresh(plan, force=options.force)
    return plan


def start_afresh(plan: Plan, *, force: bool) -> None:
    """Write the configuration, and before that with `force` remove all episodes. The run must be this process's alone."""
    if force:
        # All at once: what is left of the former run must not pass for a result of this one.
        for episode in plan.episodes:
            clear_episode(episode)
    write_config(plan.directory, plan.config)


def _shared_work(plan: Plan, claims: Claims, broken: Mapping[str, Failure]) -> Work:
    """Return the episodes that this process may take."""
    part = claims.options.part(plan.episodes)
    return Work([Job(plan.config, episode, blocked=broken.get(episode.task.image)) for episode in part], [])


def _shared_queue(work: Work, claims: Claims, options: SessionOptions, executor: Executor) -> ClaimedQueue:
    return ClaimedQueue(
        work.jobs,
        claims,
        retries=options.retries,
        wait=options.retry_wait,
        evaluations=options.eval_concurrency + 1 if options.auto_eval else 0,
        cancel=executor.cancel,
    )


def sum_up(
    directory: RunDirectory, config: RunConfig, end: SessionEnd, *, requested_concurrency: int | None = None
) -> RunResult:
    """Write the summary of a run, and return the whole run."""
    episodes = read_episodes(directory, config)
    summary = summarize(
        directory,
        config,
        episodes,
        requested_concurrency=requested_concurrency,
        achieved_concurrency=concurrency_achieved(end.spans),
    )
    try:
        summary = write_summary(directory, summary)
    except RecordError:
        if not end.stopped:  # else a full disk is the reason, which has been reported
            raise
    return RunResult(directory.path, config, summary, episodes, end.interrupted, end.stopped)
