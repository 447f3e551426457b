"""The episodes of a run that several processes share: each claims one, publishes what came of it, and looks for the next.

The run directory alone says what is left. A process stays until every episode is finished, because another one may die.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from cooperbench.records import EpisodeDirectory, EpisodeResult, EpisodeStatus, Evaluation, Failure, GroupKey, Verdict
from cooperbench.records.claims import Ended, newest_attempt, newest_claim
from cooperbench.records.episode_state import read_state
from cooperbench.runner.engine.claims import ClaimLost, Claims, end_of, finished_result
from cooperbench.runner.engine.evaluations import failure_of
from cooperbench.runner.engine.queue import FoundEpisode, can_help, retry_pause
from cooperbench.runner.episodes.episode import discard_members
from cooperbench.runner.episodes.job import Job
from cooperbench.runner.planning.plan import Episode


class _Waiting(NamedTuple):
    group: GroupKey
    next_look: float = 0.0


class _Held(NamedTuple):
    number: int
    beaten: float
    """When this process last gave a sign of life, by its monotonic clock."""


class ClaimedQueue:
    """Claims episodes one by one. Its methods belong to the engine's thread; another one gives signs of life."""

    def __init__(
        self,
        jobs: list[Job],
        claims: Claims,
        *,
        retries: int,
        wait: float,
        evaluations: int,
        cancel: Callable[[GroupKey], None],
    ) -> None:
        """Share `jobs` with other processes. So many `evaluations` of episodes that others have run are claimed at once at most.

        `cancel` is called from another thread for an episode that is somebody else's by now.
        """
        self._jobs = {job.episode.group: job for job in jobs}
        self._claims = claims
        self._retries = retries
        self._wait = wait
        self._evaluations = evaluations
        self._cancel = cancel
        self._given_up = {group: self._newest_given_up(group) for group in self._jobs}
        """Claims that were given up before this session, which tries again."""
        # Each process begins elsewhere: of two that look at the same episode one looks in vain.
        self._waiting = deque(_Waiting(group) for group in random.Random().sample(list(self._jobs), len(jobs)))
        self._held: dict[GroupKey, _Held] = {}
        self._judging: set[GroupKey] = set()
        self._found: list[FoundEpisode] = []
        self._held_until = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="claims", daemon=True)
        self._beating.start()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Job | None:
        """Claim an episode that nobody works on."""
        if time.monotonic() < self._held_until:
            return None
        for _ in range(len(self._waiting)):
            entry = self._waiting.popleft()
            if entry.next_look > time.monotonic():
                self._waiting.append(entry)
            elif job := self._look(entry.group):
                return job
        return None

    def found(self) -> list[FoundEpisode]:
        """Return what others have ended since the last call."""
        found, self._found = self._found, []
        return found

    def again(self, job: Job, result: EpisodeResult) -> float | None:
        """Give up a failed attempt, and take the episode again after a pause, unless that was the last retry."""
        group = job.episode.group
        if group not in self._held or not can_help(result):
            return None
        failures = self._failures(group)
        if failures > self._retries:
            return None
        self._end(group, "failed")
        pause = retry_pause(self._wait, failures)
        self._look_later(group, pause)
        return pause

    def finish(self, job: Job, result: EpisodeResult) -> Episode | None:
        """Publish a finished attempt. Return the episode when it is this process's to evaluate."""
        group = job.episode.group
        if group not in self._held:
            self._look_later(group)
            return None
        if result.status is EpisodeStatus.COMPLETED:
            return self._publish(group)
        self._end(group, "interrupted" if result.status is EpisodeStatus.INTERRUPTED else "given_up")
        return None

    def evaluated(self, episode: Episode, verdict: Evaluation | Failure) -> None:
        """End the claim on an episode that was evaluated; one that cannot be is left to a later session."""
        self._end(episode.group, "finished" if failure_of(verdict) is None else "given_up")

    def hold(self) -> None:
        """Claim nothing for a while."""
        self._held_until = time.monotonic() + self._wait

    def clear(self) -> None:
        """Leave to others what is not claimed."""
        self._waiting.clear()

    def close(self) -> None:
        """End all claims, so that nobody needs patience."""
        self._over.set()
        self._beating.join()
        for group in list(self._held):
            self._end(group, "interrupted")

    def _look(self, group: GroupKey) -> Job | None:
        """Drop an episode that is over, claim one on which nobody works, and come back later to any other."""
        directory = self._directory(group)
        result = finished_result(directory)
        verdict = read_state(directory, group).verdict if result is not None else None
        given_up = self._newest_given_up(group) > self._given_up[group]
        if given_up or (result is not None and (verdict is not None or not self._evaluations)):
            self._note_over(group, result, verdict)
            return None
        before = read_state(directory, group).attempts
        waits = result is not None and len(self._judging) >= self._evaluations
        number = None if waits else self._claims.take(directory, above=before)
        if number is None:
            self._look_later(group)
            return None
        with self._lock:
            self._held[group] = _Held(number, time.monotonic())
        if result is not None:
            self._found.append(FoundEpisode(result, evaluate=self._to_evaluate(group)))
            return None
        return self._begin(group, number)

    def _begin(self, group: GroupKey, number: int) -> Job | None:
        """Begin an attempt, unless a dead owner has finished one: that was paid for, and is published."""
        job = self._jobs[group]
        before = newest_attempt(job.episode.directory)
        if before is not None:
            self._claims.discard_of_this_host(job.episode.directory, before, discard_members)
            result = finished_result(before)
            if result is not None:
                self._found.append(FoundEpisode(result, evaluate=self._publish(group, before)))
                return None
        episode = replace(job.episode, directory=job.episode.directory.attempt(number))
        return replace(job, episode=episode, attempt=number)

    def _publish(self, group: GroupKey, attempt: EpisodeDirectory | None = None) -> Episode | None:
        directory, number = self._directory(group), self._held[group].number
        try:
            self._claims.publish(directory, number, attempt or directory.attempt(number))
        except ClaimLost:
            self._forget(group)
            self._look_later(group)
            return None
        if self._evaluations:
            return self._to_evaluate(group)
        self._end(group, "finished")
        return None

    def _to_evaluate(self, group: GroupKey) -> Episode:
        self._judging.add(group)
        directory = self._directory(group)
        own = f"../{directory.claims.name}/evaluation.{self._held[group].number}"
        return replace(self._jobs[group].episode, directory=EpisodeDirectory(directory.path, own))

    def _note_over(self, group: GroupKey, result: EpisodeResult | None, verdict: Verdict | None) -> None:
        result = result or read_state(self._directory(group), group).result
        if result is not None:
            self._found.append(FoundEpisode(result, verdict))

    def _look_later(self, group: GroupKey, pause: float | None = None) -> None:
        pause = self._claims.options.beat if pause is None else pause
        self._waiting.append(_Waiting(group, time.monotonic() + pause))

    def _failures(self, group: GroupKey) -> int:
        """Count the attempts of this session that failed, of all processes, the present one included."""
        directory, now = self._directory(group), self._held[group].number
        earlier = (end_of(directory, number) for number in range(self._given_up[group] + 1, now))
        return 1 + sum(end == "failed" for end in earlier)

    def _newest_given_up(self, group: GroupKey) -> int:
        """Return the number of the newest claim if its owner has given up; else 0."""
        directory = self._directory(group)
        newest = newest_claim(directory)
        return newest if newest and end_of(directory, newest) == "given_up" else 0

    def _directory(self, group: GroupKey) -> EpisodeDirectory:
        return self._jobs[group].episode.directory

    def _end(self, group: GroupKey, how: Ended) -> None:
        if held := self._forget(group):
            self._claims.end(self._directory(group), held.number, how)

    def _forget(self, group: GroupKey) -> _Held | None:
        with self._lock:
            self._judging.discard(group)
            return self._held.pop(group, None)

    def _beat(self) -> None:
        while not self._over.wait(self._claims.options.beat):
            with self._lock:
                held = list(self._held.items())
            for group, claim in held:
                if not self._beats(group, claim):
                    self._forget(group)
                    self._cancel(group)

    def _beats(self, group: GroupKey, claim: _Held) -> bool:
        """Give a sign of life; return whether the claim may still be this process's."""
        try:
            self._claims.beat(self._directory(group), claim.number)
        except ClaimLost:
            return False
        except OSError:  # the file server is away, and others may believe that this process is dead
            return time.monotonic() - claim.beaten < self._claims.options.patience / 2
        with self._lock:
            if group in self._held:
                self._held[group] = claim._replace(beaten=time.monotonic())
        return True
