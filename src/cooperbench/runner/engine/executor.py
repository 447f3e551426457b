"""Run episodes somewhere. The engine decides what runs when; an executor only runs it.

The local one gives each episode a thread, which mostly sleeps: the work is in the members' processes. An executor on a
cluster runs `run_episode` on another machine, with `Services` that it opens there.
"""

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Protocol

from cooperbench.records import EpisodeResult, GroupKey
from cooperbench.runner.engine.start_gate import StartGate
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

    def cancel(self, group: GroupKey) -> None:
        """End one episode soon. Does not wait."""
        ...

    def close(self) -> None:
        """Free what the executor holds, once nothing runs any more."""
        ...


class LocalExecutor:
    """Runs episodes on this machine."""

    def __init__(self, services: Services, capacity: int) -> None:
        self._services = services
        self._capacity = capacity
        self._threads = ThreadPoolExecutor(max(1, capacity), thread_name_prefix="episode")
        self._gate = StartGate()
        self._stops: dict[GroupKey, Event] = {}

    @property
    def capacity(self) -> int:
        """The number that it was made with."""
        return self._capacity

    @property
    def waiting(self) -> int:
        """Episodes that wait for one before them to be at work."""
        return self._gate.waiting

    def submit(self, job: Job) -> Future[EpisodeResult]:
        """Start an episode in a thread."""
        self._gate.announce()
        return self._threads.submit(self._run, job)

    def interrupt(self) -> None:
        """End the running episodes."""
        self._services.stop.set()
        for stop in list(self._stops.values()):
            stop.set()

    def cancel(self, group: GroupKey) -> None:
        """End one episode, if it runs."""
        if stop := self._stops.get(group):
            stop.set()

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> EpisodeResult:
        with self._gate.permission_to_begin() as at_work:
            stop = self._stops[job.episode.group] = Event()
            if self._services.stop.is_set():
                raise CancelledError
            return run_episode(job, replace(self._services, stop=stop), at_work)
