"""Run episodes somewhere. The engine decides what runs when; an executor only runs it.

The local one gives each episode a thread, which mostly sleeps: the work is in the members' processes. An executor on a
cluster runs `run_episode` on another machine, with `Services` that it opens there.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from cooperbench.records import EpisodeResult
from cooperbench.runner.episodes.episode import run_episode
from cooperbench.runner.episodes.job import Job, Services


class Executor(Protocol):
    """Runs episodes, each isolated from all others."""

    @property
    def capacity(self) -> int:
        """The number of episodes that can run at the same time."""
        ...

    @property
    def waiting(self) -> int:
        """Episodes that were submitted and have not begun."""
        ...

    def submit(self, job: Job) -> Future[EpisodeResult]:
        """Start an episode soon; its record lies in the run directory when the future is done.

        The future raises `CancelledError` when the executor was interrupted before the episode began.
        """
        ...

    def interrupt(self) -> None:
        """End the running episodes soon, with their work captured. Does not wait."""
        ...

    def close(self) -> None:
        """Free what the executor holds, once nothing runs any more."""
        ...


class LocalExecutor:
    """Runs episodes on this machine.

    One begins when one before it is at work, two at a time for each processor: hundreds that begin at the same moment would all
    wait until the last of them has its sandbox, and those at work would wait for a processor.
    """

    def __init__(self, services: Services, capacity: int) -> None:
        self._services = services
        self._capacity = capacity
        self._threads = ThreadPoolExecutor(max(1, capacity), thread_name_prefix="episode")
        self._starts = threading.Semaphore(2 * (os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def capacity(self) -> int:
        """The number that it was made with."""
        return self._capacity

    @property
    def waiting(self) -> int:
        """Episodes that wait for one before them to be at work."""
        return self._waiting

    def submit(self, job: Job) -> Future[EpisodeResult]:
        """Start an episode in a thread."""
        self._count(1)
        return self._threads.submit(self._run, job)

    def interrupt(self) -> None:
        """End the running episodes."""
        self._services.stop.set()

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> EpisodeResult:
        with self._permission_to_begin() as at_work:
            if self._services.stop.is_set():
                raise CancelledError
            return run_episode(job, self._services, at_work)

    @contextmanager
    def _permission_to_begin(self) -> Iterator[Callable[[], None]]:
        """Wait until another episode may begin; let the next one begin when the callable is called, at the latest after the block."""
        self._starts.acquire()
        self._count(-1)
        held = [self._starts]

        def give_back() -> None:
            while held:
                held.pop().release()

        try:
            yield give_back
        finally:
            give_back()

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change
