"""Stops a run in which everything fails in the same way: a wrong key, a provider that is down, a full disk.

One broken image among many must not stop a run, so only an unbroken row of failures of one kind counts, and its tasks
must not all be the same one, as long as the run has several. Nor must an engine or a network that is away for some seconds: such a
failure strikes everything that is at work, so of those that can pass only one counts until something begun after it fails too. But when as much
has failed for minutes as there are seats, that is enough: a model's call alone is tried for three minutes before it fails.
"""

from datetime import datetime, timedelta

from cooperbench.records import Failure, utc_now

SHORTEST_ROW = 5
LONGEST_OUTAGE = timedelta(minutes=2)


class Breaker:
    """Watches how work ends, in a run of so many tasks with so much of it at the same time."""

    def __init__(self, tasks: int, concurrency: int, *, longest_outage: timedelta = LONGEST_OUTAGE) -> None:
        self._several_tasks = tasks > 1
        # What fails does so early: the first ones to end say little about those still at work.
        self._length = max(SHORTEST_ROW, concurrency // 2)
        self._seats = max(SHORTEST_ROW, concurrency)
        self._longest_outage = longest_outage
        self._row: list[tuple[str, Failure]] = []
        self._counted_at = utc_now()
        self._failures = 0
        self._failing_since = self._counted_at

    @property
    def row(self) -> int:
        """How many failures of one kind there were without a success between them."""
        return len(self._row)

    def note(self, task: str, failure: Failure | None, began: datetime | None = None) -> Failure | None:
        """Take in how a piece of work on a task ended; returns what everything fails with, when that is so.

        `began` is when the work began, if it is going to be repeated where that can help.
        """
        if failure is None or (self._row and self._row[-1][1].kind != failure.kind):
            self._row.clear()
        if failure is None:
            return None
        now = utc_now()
        if not self._row:
            self._failures, self._failing_since = 0, now
        self._failures += 1
        passing = failure.retryable and began is not None
        if not (passing and self._row and began is not None and began < self._counted_at):
            self._counted_at = now
            self._row.append((task, failure))
        enough = len(self._row) >= (SHORTEST_ROW if passing else self._length)
        lasting = passing and self._failures >= self._seats and now - self._failing_since >= self._longest_outage
        # A provider does not know which task it is asked about.
        several = self._several_tasks and failure.boundary != "model"
        one_of_several = several and len({name for name, _ in self._row}) == 1
        return failure if (enough or lasting) and not one_of_several else None
