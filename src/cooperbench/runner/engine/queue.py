"""Decide which episode is next, and when a failed one is tried again."""

import random
import time
from collections import deque
from dataclasses import replace

from cooperbench.records import EpisodeResult, EpisodeStatus
from cooperbench.runner.episodes.job import Job


class JobQueue:
    """Episodes that wait to run. Those that failed come last, and not before a pause is over."""

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
        failure = result.error
        if result.status is not EpisodeStatus.INFRA_ERROR or failure is None or not failure.retryable:
            return None
        key = str(job.episode.group)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if failures > self._retries:
            return None
        pause = retry_pause(self._wait, failures)
        self._later.append((time.monotonic() + pause, replace(job, attempt=job.attempt + 1)))
        return pause

    def hold(self) -> None:
        """Let nothing begin for a while: something that everything depends on is away, and may come back."""
        self._held_until = time.monotonic() + self._wait

    def clear(self) -> None:
        """Drop all waiting episodes."""
        self._ready.clear()
        self._later.clear()


def retry_pause(wait: float, failures: int) -> float:
    """Return the seconds to wait after so many failures: `wait` after the first, doubled each time."""
    # Jitter keeps what failed together from coming back together.
    return wait * float(2 ** (failures - 1)) * random.uniform(0.75, 1.25)
