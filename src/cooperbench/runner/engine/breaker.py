"""Stops a run in which everything fails in the same way: a wrong key, a provider that is down, a full disk.

One broken image among many must not stop a run, so only an unbroken row of failures of one kind counts, and its tasks
must not all be the same one, as long as the run has several.
"""

from cooperbench.records import EpisodeResult, EpisodeStatus, Failure

SHORTEST_ROW = 5


class Breaker:
    """Watches the results of a run of so many tasks, with so many episodes at the same time."""

    def __init__(self, tasks: int, concurrency: int) -> None:
        self._several_tasks = tasks > 1
        # Episodes that fail do so early: the first ones to end say little about those still at work.
        self._length = max(SHORTEST_ROW, concurrency // 2)
        self._row: list[tuple[str, Failure]] = []

    def note(self, result: EpisodeResult) -> Failure | None:
        """Take in one result; returns what everything fails with, when that is so."""
        failure = result.error
        if result.status is not EpisodeStatus.INFRA_ERROR or failure is None:
            if result.status is EpisodeStatus.COMPLETED:
                self._row.clear()
            return None
        if self._row and self._row[-1][1].kind != failure.kind:
            self._row.clear()
        self._row.append((f"{result.repo}/{result.task_id}", failure))
        tasks = {task for task, _ in self._row}
        if len(self._row) < self._length or (self._several_tasks and len(tasks) == 1):
            return None
        return failure
