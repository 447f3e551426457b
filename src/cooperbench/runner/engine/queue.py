"""Decide which episode is next, and when a failed one is tried again."""

import random
import time
from collections import deque
from dataclasses import replace
from typing import NamedTuple, Protocol

from cooperbench.records import EpisodeResult, EpisodeStatus, Evaluation, Failure, Verdict
from cooperbench.runner.episodes.job import Job
from cooperbench.runner.planning.plan import Episode


class FoundEpisode(NamedTuple):
    """An episode that another process has ended."""

    result: EpisodeResult
    verdict: Verdict | None = None
    evaluate: Episode | None = None
    """Set when this process is to evaluate it."""


class Queue(Protocol):
    """The episodes that a session still has to run."""

    def __len__(self) -> int:
        """Return how many have not ended and are not running here."""
        ...

    def take(self) -> Job | None:
        """Take the next one whose time has come."""
        ...

    def found(self) -> list[FoundEpisode]:
        """Return what other processes have ended since the last call."""
        ...

    def again(self, job: Job, result: EpisodeResult) -> float | None:
        """Put a failed episode back if repeating it can help; return the pause in seconds, or `None` if its failure is final."""
        ...

    def finish(self, job: Job, result: EpisodeResult) -> Episode | None:
        """Note that an episode has ended and is not repeated. Return it when it can be evaluated here."""
        ...

    def evaluated(self, episode: Episode, verdict: Evaluation | Failure) -> None:
        """Note that an episode was evaluated, or why it was not."""
        ...

    def hold(self) -> None:
        """Let nothing begin for a while: something that everything depends on is away, and may come back."""
        ...

    def clear(self) -> None:
        """Drop all waiting episodes."""
        ...

    def close(self) -> None:
        """Give up what is still held."""
        ...


class JobQueue:
    """Episodes that wait to run in the only process that works on the run. Those that failed come last, and not before a pause is over."""

    def __init__(self, jobs: list[Job], *, retries: int, wait: float) -> None:
        self._ready = deque(jobs)
        self._later: list[tuple[float, Job]] = []
        self._retries = retries
        self._wait = wait
        self._failures: dict[str, int] = {}
        self._held_until = 0.0

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)

    def take(self) -> Job | None:
        """Take the next one whose time has come."""
        now = time.monotonic()
        if now < self._held_until:
            return None
        for entry in [entry for entry in self._later if entry[0] <= now]:
            self._later.remove(entry)
            self._ready.append(entry[1])
        return self._ready.popleft() if self._ready else None

    def again(self, job: Job, result: EpisodeResult) -> float | None:
        """Put a failed episode back if repeating it can help; return the pause in seconds, or `None` if its failure is final."""
        if not can_help(result):
            return None
        key = str(job.episode.group)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if failures > self._retries:
            return None
        pause = retry_pause(self._wait, failures)
        self._later.append((time.monotonic() + pause, replace(job, attempt=job.attempt + 1)))
        return pause

    def found(self) -> list[FoundEpisode]:
        """Return nothing: no other process works on the run."""
        return []

    def finish(self, job: Job, result: EpisodeResult) -> Episode | None:
        """Return the episode if there is work to judge."""
        return job.episode if result.status is EpisodeStatus.COMPLETED else None

    def evaluated(self, episode: Episode, verdict: Evaluation | Failure) -> None:
        """Do nothing: `eval.json` says it."""

    def hold(self) -> None:
        """Let nothing begin for a while: something that everything depends on is away, and may come back."""
        self._held_until = time.monotonic() + self._wait

    def clear(self) -> None:
        """Drop all waiting episodes."""
        self._ready.clear()
        self._later.clear()

    def close(self) -> None:
        """Do nothing: the run's lock is the run's."""


def can_help(result: EpisodeResult) -> bool:
    """Return whether repeating a failed episode can help."""
    failure = result.error
    return result.status is EpisodeStatus.INFRA_ERROR and failure is not None and failure.retryable


def retry_pause(wait: float, failures: int) -> float:
    """Return the seconds to wait after so many failures: `wait` after the first, doubled each time."""
    # Jitter keeps what failed together from coming back together.
    return wait * float(2 ** (failures - 1)) * random.uniform(0.75, 1.25)
