"""Where episodes run. The engine decides what runs when; an executor only runs it.

The local one gives each episode a thread, which mostly sleeps: the work is in the members' processes. An executor on a
cluster runs `run_episode` on another machine, with `Services` that it opens there.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from cooperbench.records import EpisodeResult
from cooperbench.runner.episodes.episode import run_episode
from cooperbench.runner.episodes.job import Job, Services


class Executor(Protocol):
    """Runs episodes, each isolated from every other."""

    @property
    def capacity(self) -> int:
        """How many episodes can run at the same time."""
        ...

    def submit(self, job: Job) -> Future[EpisodeResult]:
        """Start an episode now; its record lies in the run directory when the future is done."""
        ...

    def interrupt(self) -> None:
        """End the running episodes soon, with their work captured. Does not wait."""
        ...

    def close(self) -> None:
        """Free what the executor holds, once nothing runs any more."""
        ...


class LocalExecutor:
    """Runs episodes on this machine."""

    def __init__(self, services: Services, capacity: int) -> None:
        self._services = services
        self._capacity = capacity
        self._threads = ThreadPoolExecutor(capacity, thread_name_prefix="episode")

    @property
    def capacity(self) -> int:
        """As many as it was told."""
        return self._capacity

    def submit(self, job: Job) -> Future[EpisodeResult]:
        """Start an episode in a thread."""
        return self._threads.submit(run_episode, job, self._services)

    def interrupt(self) -> None:
        """End the running episodes."""
        self._services.stop.set()

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
