"""Stops a run in which everything fails in the same way: a wrong key, a provider that is down, a full disk.

One broken image among many must not stop a run, so only an unbroken row of failures of one kind counts, and its tasks
must not all be the same one, as long as the run has several. Nor must an engine or a network that is away for some seconds: such a
failure strikes everything that is at work, so of those that can pass only one counts until something begun after it fails too.
"""

from datetime import datetime

from cooperbench.records import Failure, utc_now

SHORTEST_ROW = 5


class Breaker:
    """Watches how work ends, in a run of so many tasks with so much of it at the same time."""

    def __init__(self, tasks: int, concurrency: int) -> None:
        self._several_tasks = tasks > 1
        # What fails does so early: the first ones to end say little about those still at work.
        self._length = max(SHORTEST_ROW, concurrency // 2)
        self._row: list[tuple[str, Failure]] = []
        self._counted_at = utc_now()

    @property
    def row(self) -> int:
        """How many failures of one kind there were without a success between them."""
        return len(self._row)

    def note(self, task: str, failure: Failure | None, began: datetime | None = None) -> Failure | None:
        """Take in how a piece of work on a task ended; returns what everything fails with, when that is so.

        `began` is when the work began, if it is going to be repeated where that can help.
        """
        if failure is None:
            self._row.clear()
            return None
        if self._row and self._row[-1][1].kind != failure.kind:
            self._row.clear()
        passing = failure.retryable and began is not None
        if passing and self._row and began is not None and began < self._counted_at:
            return None
        self._counted_at = utc_now()
        self._row.append((task, failure))
        length = SHORTEST_ROW if passing else self._length
        if len(self._row) < length or (self._several_tasks and len({name for name, _ in self._row}) == 1):
            return None
        return failure
