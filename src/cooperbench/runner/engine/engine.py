"""Work through a run: episodes and evaluations side by side, as many as fit, until all is done or must stop.

The engine's only memory is the run directory. What it finds finished there is left alone and everything else is run, so it
can be killed at any moment and started again. With no episodes to run it only evaluates.
"""

import shutil
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any, NamedTuple

from cooperbench.errors import RecordError
from cooperbench.records import EpisodeResult, EpisodeStatus, Evaluation, Failure
from cooperbench.records.episode_state import EpisodeState, read_state
from cooperbench.records.live import Counts
from cooperbench.runner.engine.circuit_breaker import CircuitBreaker
from cooperbench.runner.engine.evaluations import evaluate_one, failure_of
from cooperbench.runner.engine.executor import Executor
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.engine.progress import SessionProgress
from cooperbench.runner.engine.queue import JobQueue, Queue
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.engine.signals import handled
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.plan import Episode, Plan
from cooperbench.runner.workers.slots import LOOK_AHEAD

TICK = 0.5
"""Seconds between two looks at what has ended."""
RESUME = "the same command resumes it"


class FinishedEpisode(NamedTuple):
    """An episode that awaits only its evaluation."""

    episode: Episode
    result: EpisodeResult


class Work(NamedTuple):
    """The episodes that a session has to run and to evaluate."""

    jobs: list[Job]
    finished: list[FinishedEpisode]

    @property
    def episodes(self) -> list[Episode]:
        """All episodes that the session is about."""
        return [*(job.episode for job in self.jobs), *(each.episode for each in self.finished)]


class SessionEnd(NamedTuple):
    """How the engine's work ended."""

    interrupted: bool = False
    stopped: str = ""
    """Why it stopped early, if it did."""
    spans: tuple[tuple[datetime, datetime], ...] = ()
    """Begin and end of each episode of this session."""


def find_work(plan: Plan, broken_images: Mapping[str, Failure], observer: Observer) -> Work:
    """Look into the run directory for what is left to do. Episodes whose image is broken are recorded and not started."""
    work = Work([], [])
    for episode in plan.episodes:
        found = read_state(episode.directory, episode.group)
        if found.state is EpisodeState.UNREADABLE:
            observer.note(f"{found.note}; {episode.group} is repeated")
        if found.completed is not None:
            # The process that finished it may have been killed before it removed this.
            shutil.rmtree(episode.directory.work, ignore_errors=True)
            work.finished.append(FinishedEpisode(episode, found.completed))
        else:
            broken = broken_images.get(episode.task.image)
            work.jobs.append(Job(plan.config, episode, found.attempts + 1, broken))
    return work


class Engine:
    """One session of work on a run."""

    def __init__(
        self,
        plan: Plan,
        work: Work,
        services: Services,
        executor: Executor,
        options: SessionOptions,
        observer: Observer,
        queue: Queue | None = None,
    ) -> None:
        self._plan = plan
        self._work = work
        self._services = services
        self._executor = executor
        self._options = options
        self._observer = observer
        self._queue = JobQueue(work.jobs, retries=options.retries, wait=options.retry_wait) if queue is None else queue
        self._running: dict[Future[EpisodeResult], Job] = {}
        self._evaluating: dict[Future[Evaluation | Failure], Episode] = {}
        self._evaluators = ThreadPoolExecutor(options.eval_concurrency + LOOK_AHEAD, thread_name_prefix="evaluation")
        tasks = {episode.task.key for episode in work.episodes}
        self._breaker = CircuitBreaker(len(tasks), executor.capacity)
        self._evaluation_breaker = CircuitBreaker(len(tasks), options.eval_concurrency)
        self._progress = SessionProgress(plan)
        self._unpriced: set[str] = set()
        self._interrupted = False
        self._stopped = ""

    def run(self) -> SessionEnd:
        """Do all the work."""
        for _, result in self._work.finished:
            self._progress.reuse(result)
        self._observer.begin(self._plan, self._counts())
        try:
            with handled(self._interrupt, self._quit):
                for episode, _ in self._work.finished:
                    self._submit_evaluation(episode)
                while self._queue or self._running or self._evaluating:
                    self._start()
                    self._collect()
                    self._observer.tick(self._counts())
        finally:
            self._evaluators.shutdown(wait=True, cancel_futures=True)
            self._queue.close()
            self._observer.end(self._counts())
        return SessionEnd(self._interrupted, self._stopped, tuple(self._progress.spans))

    def _start(self) -> None:
        if self._interrupted or self._stopped:
            self._queue.clear()
            return
        while len(self._running) < self._executor.capacity and (job := self._queue.take()):
            self._running[self._executor.submit(job)] = job
        for found in self._queue.found():
            self._progress.reuse(found.result, found.verdict)
            if found.evaluate is not None:
                self._submit_evaluation(found.evaluate)

    def _collect(self) -> None:
        waiting: list[Future[Any]] = [*self._running, *self._evaluating]
        if not waiting:
            time.sleep(TICK)  # failed episodes wait for their next attempt
            return
        done = wait(waiting, timeout=TICK, return_when=FIRST_COMPLETED).done
        for future in [future for future in self._running if future in done]:
            self._episode_ended(self._running.pop(future), future)
        for verdict in [verdict for verdict in self._evaluating if verdict in done]:
            episode = self._evaluating.pop(verdict)
            if not verdict.cancelled():
                self._evaluation_ended(episode, verdict.result())

    def _episode_ended(self, job: Job, future: Future[EpisodeResult]) -> None:
        try:
            result = future.result()
        except CancelledError:
            return
        except RecordError as error:  # the record cannot be written: a full disk fails every other episode too
            self._stop(error.message)
            return
        self._progress.spans.append((result.started_at, result.ended_at))
        pause = None if self._interrupted else self._queue.again(job, result)
        if pause is not None and result.error is not None:
            self._observer.note(f"{job.episode.group}: {result.error.message}; again in {pause:.0f} s")
        else:
            self._observer.episode_ended(result)
            self._progress.finish(result)
            self._note_unpriced(result)
            self._finish(job, result)
        self._watch(job, result)

    def _finish(self, job: Job, result: EpisodeResult) -> None:
        try:
            episode = self._queue.finish(job, result)
        except RecordError as error:
            self._stop(error.message)
        else:
            if episode is not None:
                self._submit_evaluation(episode)

    def _watch(self, job: Job, result: EpisodeResult) -> None:
        """Stop the run when everything fails or its money is used up."""
        task = job.episode.task.key
        if result.status is EpisodeStatus.COMPLETED:
            self._breaker.note(task, None)
        elif result.status is EpisodeStatus.INFRA_ERROR and result.error is not None:
            if failure := self._breaker.note(task, result.error, result.started_at):
                self._stop(f"every episode fails with {failure.kind}: {failure.message}")
            elif self._breaker.streak > 1 and result.error.retryable:
                self._queue.hold()
        if any(member.limit is not None and member.limit.kind == "run cost" for member in result.agents.values()):
            limit = self._plan.config.max_cost
            self._stop(f"the run's cost limit of ${limit:g} is reached; raise --max-cost to continue")

    def _note_unpriced(self, result: EpisodeResult) -> None:
        """Say once of each model that its cost is not known."""
        for member in result.agents.values():
            if member.usage.cost is None and member.model not in self._unpriced:
                self._unpriced.add(member.model)
                self._observer.note(
                    f"the cost of {member.model} is not known, so cost limits do not apply to it; --price-table adds prices"
                )

    def _submit_evaluation(self, episode: Episode) -> None:
        if not self._options.auto_eval or self._interrupted:
            return
        future = self._evaluators.submit(evaluate_one, episode, self._plan.config, self._options, self._services)
        self._evaluating[future] = episode

    def _evaluation_ended(self, episode: Episode, verdict: Evaluation | Failure) -> None:
        self._progress.evaluate(verdict)
        self._queue.evaluated(episode, verdict)
        self._observer.evaluated(episode.group, verdict)
        if self._interrupted:
            return
        if failure := self._evaluation_breaker.note(episode.task.key, failure_of(verdict)):
            self._stop(f"every evaluation fails with {failure.kind}: {failure.message}")
            for waiting in self._evaluating:
                waiting.cancel()

    def _stop(self, reason: str) -> None:
        if not self._stopped:
            self._stopped = reason
            self._observer.note(f"stopping: {reason}")

    def _interrupt(self) -> None:
        self._interrupted = True
        self._executor.interrupt()
        for future in list(self._evaluating):
            future.cancel()
        begun = len(self._running) - self._executor.waiting
        ending = f"ending {begun} episodes with their work captured; " if begun else ""
        self._observer.note(f"interrupted: {ending}{RESUME}")

    def _quit(self) -> None:
        self._observer.end(self._counts())
        run = self._plan.config.run
        self._observer.note(f"quitting at once: `cooperbench clean --run {run}` removes what is left")

    def _counts(self) -> Counts:
        return self._progress.counts(
            left=len(self._queue) + len(self._running),
            running=len(self._running) - self._executor.waiting,
            capacity=self._executor.capacity,
        )
