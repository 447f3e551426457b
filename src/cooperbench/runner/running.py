"""Running a plan from its run directory's point of view: check, lock, prepare, work, sum up."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from statistics import fmean
from typing import NamedTuple

from cooperbench.errors import RecordError, UsageError
from cooperbench.records import RunConfig
from cooperbench.records.episode_state import EpisodeState, read_state
from cooperbench.records.ledger import RunLedger
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import RunResult
from cooperbench.records.summary import concurrency_achieved, read_episodes, summarize, write_summary
from cooperbench.runner.engine.engine import Engine
from cooperbench.runner.engine.executor import Executor, LocalExecutor
from cooperbench.runner.engine.images import ensure_images
from cooperbench.runner.engine.progress import Observer, Silent
from cooperbench.runner.engine.session import SessionOptions, open_services
from cooperbench.runner.episodes.episode import clear_episode
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.plan import Plan
from cooperbench.runner.planning.resume import check_run, check_writable, write_config


class Preview(NamedTuple):
    """What running a plan would do."""

    plan: Plan
    config: RunConfig
    resumed: bool
    states: dict[EpisodeState, int]
    """How many episodes were found in which state."""
    notes: tuple[str, ...]
    concurrency: int
    mean_seconds: float | None = None
    """Of the finished episodes; `None` when there is none."""
    mean_cost: float | None = None
    """US dollars of a finished episode; `None` also when one's is unknown."""
    given_up: int = 0
    """Finished episodes whose results would make way for new ones."""
    spent: float = 0.0
    """US dollars that the run has cost so far, as far as known."""

    @property
    def to_run(self) -> int:
        """Episodes that would be run."""
        return sum(count for state, count in self.states.items() if state is not EpisodeState.FINISHED)


def preview(plan: Plan, options: SessionOptions) -> Preview:
    """Say what `execute` would do, writing nothing. Raises what `execute` would raise before it starts."""
    options.check()
    _check_money(plan, force=options.force)
    if options.auto_eval:
        options.evaluation.check(plan.config.policy)
    check_writable(plan.directory)
    opened = check_run(plan.directory, plan.config, force=options.force)
    found = [read_state(episode.directory, episode.group) for episode in plan.episodes]
    states = Counter(EpisodeState.NEW if options.force else each.state for each in found)
    finished = [each.completed for each in found if each.completed is not None]
    costs = [result.total_cost for result in finished if result.total_cost is not None]
    given_up = len(finished) if options.force else 0
    notes = (
        (f"finished episodes that are repeated, and their results given up (--force): {given_up}",) if given_up else ()
    )
    return Preview(
        plan,
        opened.config,
        opened.resumed,
        dict(states),
        opened.notes + notes,
        options.concurrency,
        fmean(result.duration_seconds for result in finished) if finished else None,
        fmean(costs) if finished and len(costs) == len(finished) else None,
        given_up,
        RunLedger(plan.directory.ledger).total(),
    )


def _check_money(plan: Plan, *, force: bool) -> None:
    """Raise `UsageError` when the run's money is spent and episodes are left, whose captured work would be given up for nothing."""
    limit = plan.config.max_cost
    if limit is None:
        return
    spent = RunLedger(plan.directory.ledger).total()
    left = [each for each in plan.episodes if force or read_state(each.directory, each.group).completed is None]
    if spent >= limit and left:
        raise UsageError(
            f"${spent:,.2f} of this run's ${limit:,.2f} are spent, and {len(left)} of its episodes are left",
            subject=plan.config.run,
            hint="raise --max-cost, or judge what is finished: cooperbench eval -n " + plan.config.run,
        )


def execute(
    plan: Plan,
    options: SessionOptions,
    observer: Observer | None = None,
    make_executor: Callable[[Services, int], Executor] = LocalExecutor,
) -> RunResult:
    """Run what is not yet finished, evaluate it, and return the whole run. `make_executor` says where episodes run.

    Raises `UsageError`, `RunMismatchError` and `RunLockedError` before anything is written or started.
    """
    observer = observer or Silent()
    found = preview(plan, options)
    for note in found.notes:
        observer.note(note)
    with ExitStack() as stack:
        services = stack.enter_context(open_services(found.config, plan.directory, options))
        stack.enter_context(locked(plan.directory))
        images = ensure_images(found.config.backend, plan.tasks)
        for name, failure in images.broken.items():
            observer.note(f"image {name}: {failure.message}" + (f" ({failure.hint})" if failure.hint else ""))
        digests = {**found.config.image_digests, **images.digests}
        config = found.config.model_copy(update={"image_digests": digests})
        if options.force:
            # At once and not one by one: what is left of the former run must not pass for a result of this one.
            for episode in plan.episodes:
                clear_episode(episode)
        write_config(plan.directory, config)
        services.pool.wait_until_ready()
        executor = make_executor(services, options.concurrency)
        try:
            ending = Engine(plan, config, services, executor, options, observer).run(images.broken)
        finally:
            executor.close()
        episodes = read_episodes(plan.directory, config)
        summary = summarize(
            plan.directory,
            config,
            episodes,
            requested_concurrency=options.concurrency,
            achieved_concurrency=concurrency_achieved(ending.spans),
        )
        try:
            summary = write_summary(plan.directory, summary)
        except RecordError:
            if not ending.stopped:  # else a full disk is why, and that has been said
                raise
    return RunResult(plan.directory.path, config, summary, episodes, ending.interrupted, ending.stopped)
