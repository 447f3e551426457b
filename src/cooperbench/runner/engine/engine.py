"""Works through a plan: episodes and evaluations side by side, as many as fit, until all is done or must stop.

The engine's only memory is the run directory. What it finds finished there is left alone, everything else is run; so it
can be killed at any moment and started again.
"""

import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any, NamedTuple

from cooperbench.errors import RecordError
from cooperbench.records import EpisodeResult, EpisodeStatus, Evaluation, Failure, RunConfig
from cooperbench.records.episode_state import EpisodeState, read_state
from cooperbench.records.ledger import RunLedger
from cooperbench.records.live import Counts
from cooperbench.runner.engine.circuit_breaker import CircuitBreaker
from cooperbench.runner.engine.evaluations import evaluate_one, failure_of
from cooperbench.runner.engine.executor import Executor
from cooperbench.runner.engine.progress import Observer
from cooperbench.runner.engine.queue import JobQueue
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.engine.signals import handled
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.plan import Episode, Plan
from cooperbench.runner.workers.slots import LOOK_AHEAD

TICK = 0.5
RESUME = "the same command resumes it"


class SessionEnd(NamedTuple):
    """How the engine's work ended."""

    interrupted: bool = False
    stopped: str = ""
    """Why it stopped early, if it did."""
    spans: tuple[tuple[datetime, datetime], ...] = ()
    """Begin and end of each episode of this session."""


class Engine:
    """One session of work on a run."""

    def __init__(
        self,
        plan: Plan,
        config: RunConfig,
        services: Services,
        executor: Executor,
        options: SessionOptions,
        observer: Observer,
    ) -> None:
        self._plan = plan
        self._config = config
        self._services = services
        self._executor = executor
        self._options = options
        self._observer = observer
        self._running: dict[Future[EpisodeResult], Job] = {}
        self._evaluating: dict[Future[Evaluation | Failure], Episode] = {}
        self._evaluators = ThreadPoolExecutor(options.eval_concurrency + LOOK_AHEAD, thread_name_prefix="evaluation")
        self._breaker = CircuitBreaker(len(plan.tasks), executor.capacity)
        self._evaluation_breaker = CircuitBreaker(len(plan.tasks), options.eval_concurrency)
        self._spans: list[tuple[datetime, datetime]] = []
        self._costs: list[float | None] = []
        self._ledger = RunLedger(plan.directory.ledger)
        self._unpriced: set[str] = set()
        self._interrupted = False
        self._stopped = ""
        self._began = time.monotonic()
        self._completed = self._reused = self._failed = self._evaluated = self._passed = 0

    def run(self, broken_images: dict[str, Failure]) -> SessionEnd:
        """Do all that is left to do. Episodes whose image is broken are recorded as such."""
        queue = JobQueue(self._unfinished(), retries=self._options.retries, wait=self._options.retry_wait)
        self._observer.begin(self._plan, self._counts(queue))
        try:
            with handled(self._interrupt, lambda: self._quit(queue)):
                while queue or self._running or self._evaluating:
                    self._start(queue, broken_images)
                    self._collect(queue)
                    self._observer.tick(self._counts(queue))
        finally:
            self._evaluators.shutdown(wait=True, cancel_futures=True)
            self._observer.end(self._counts(queue))
        return SessionEnd(self._interrupted, self._stopped, tuple(self._spans))

    def _unfinished(self) -> list[Job]:
        jobs = []
        for episode in self._plan.episodes:
            found = read_state(episode.directory, episode.group)
            if found.state is EpisodeState.UNREADABLE:
                self._observer.note(f"{found.note}; {episode.group} is repeated")
            if found.completed is None:
                jobs.append(Job(self._config, episode, found.attempts + 1))
                continue
            self._reused += 1
            self._count(found.completed)
            self._submit_evaluation(episode)
        return jobs

    def _start(self, queue: JobQueue, broken_images: dict[str, Failure]) -> None:
        if self._interrupted or self._stopped:
            queue.clear()
            return
        while len(self._running) < self._executor.capacity and (job := queue.take()):
            job = Job(job.config, job.episode, job.attempt, broken_images.get(job.episode.task.image))
            self._running[self._executor.submit(job)] = job

    def _collect(self, queue: JobQueue) -> None:
        waiting: list[Future[Any]] = [*self._running, *self._evaluating]
        if not waiting:
            time.sleep(TICK)  # failed episodes wait for their next attempt
            return
        done = wait(waiting, timeout=TICK, return_when=FIRST_COMPLETED).done
        for future in [future for future in self._running if future in done]:
            self._episode_ended(queue, self._running.pop(future), future)
        for verdict in [verdict for verdict in self._evaluating if verdict in done]:
            episode = self._evaluating.pop(verdict)
            if not verdict.cancelled():
                self._evaluated_one(episode, verdict)

    def _episode_ended(self, queue: JobQueue, job: Job, future: Future[EpisodeResult]) -> None:
        try:
            result = future.result()
        except CancelledError:
            return
        except RecordError as error:  # the record cannot be written: a full disk fails every other episode too
            self._stop(error.message)
            return
        self._spans.append((result.started_at, result.ended_at))
        pause = None if self._interrupted else queue.again(job, result)
        if pause is not None and result.error is not None:
            self._observer.note(f"{job.episode.group}: {result.error.message}; again in {pause:.0f} s")
        else:
            self._observer.episode_ended(result)
            self._count(result)
            self._note_unpriced(result)
        task = job.episode.task.key
        if result.status is EpisodeStatus.COMPLETED:
            self._breaker.note(task, None)
            self._submit_evaluation(job.episode)
        elif result.status is EpisodeStatus.INFRA_ERROR and result.error is not None:
            if failure := self._breaker.note(task, result.error, result.started_at):
                self._stop(f"every episode fails with {failure.kind}: {failure.message}")
            elif self._breaker.streak > 1 and result.error.retryable:
                queue.hold()
        if any(member.limit is not None and member.limit.kind == "run cost" for member in result.agents.values()):
            self._stop(f"the run's cost limit of ${self._config.max_cost:g} is reached; raise --max-cost to go on")

    def _note_unpriced(self, result: EpisodeResult) -> None:
        """Say once of each model that nobody knows what it costs."""
        for member in result.agents.values():
            if member.usage.cost is None and member.model not in self._unpriced:
                self._unpriced.add(member.model)
                self._observer.note(
                    f"the cost of {member.model} is not known, so limits of cost do not hold for it; --price-table adds prices"
                )

    def _count(self, result: EpisodeResult) -> None:
        if result.status is EpisodeStatus.COMPLETED:
            self._completed += 1
            self._costs.append(result.total_cost)
        elif result.status is EpisodeStatus.INFRA_ERROR:
            self._failed += 1

    def _submit_evaluation(self, episode: Episode) -> None:
        if not self._options.auto_eval or self._interrupted:
            return
        future = self._evaluators.submit(evaluate_one, episode, self._config, self._options, self._services)
        self._evaluating[future] = episode

    def _evaluated_one(self, episode: Episode, future: Future[Evaluation | Failure]) -> None:
        verdict = future.result()
        if isinstance(verdict, Evaluation):
            self._evaluated += 1
            self._passed += verdict.verdict.passed
        self._observer.evaluated(episode.group, verdict)
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
        self._observer.note(f"interrupted: ending {begun} episodes with their work captured; {RESUME}")

    def _quit(self, queue: JobQueue) -> None:
        self._observer.end(self._counts(queue))
        self._observer.note(f"quitting at once: `cooperbench clean --run {self._config.run}` removes what is left")

    def _counts(self, queue: JobQueue) -> Counts:
        seconds = time.monotonic() - self._began
        left = len(queue) + len(self._running)
        done = max(0, self._completed - self._reused)
        mean = (
            sum((end - start).total_seconds() for start, end in self._spans) / len(self._spans) if self._spans else None
        )
        known = [cost for cost in self._costs if cost is not None]
        slots = max(1, min(self._executor.capacity, left))
        return Counts(
            planned=len(self._plan.episodes),
            reused=self._reused,
            completed=self._completed,
            running=len(self._running) - self._executor.waiting,
            capacity=self._executor.capacity,
            infra_errors=self._failed,
            evaluated=self._evaluated,
            passed=self._passed,
            cost=self._ledger.total() if len(known) == len(self._costs) else None,
            seconds=seconds,
            seconds_left=mean * left / slots if mean is not None and done and left else None,
            cost_left=sum(known) / len(known) * left if known else None,
        )
