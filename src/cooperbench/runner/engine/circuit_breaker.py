"""Stop a run in which everything fails in the same way: a wrong key, a provider that is down, a full disk."""

from datetime import datetime, timedelta

from cooperbench.records import Failure, utc_now

SHORTEST_STREAK = 5
LONGEST_OUTAGE = timedelta(minutes=2)


class CircuitBreaker:
    """Trip after N consecutive failures of one kind from more than one task.

    One broken image among many must not stop a run, so the tasks must not all be the same one, where the run has several. A
    transient outage hits all running episodes at once, so it counts once until an episode started later fails as well. An
    outage that has lasted for minutes and has failed as many episodes as run at the same time is enough: a model's call alone
    is tried for three minutes before it fails.
    """

    def __init__(self, tasks: int, concurrency: int, *, longest_outage: timedelta = LONGEST_OUTAGE) -> None:
        self._several_tasks = tasks > 1
        # What fails does so early: the first ones to end say little about those still at work.
        self._length = max(SHORTEST_STREAK, concurrency // 2)
        self._concurrency = max(SHORTEST_STREAK, concurrency)
        self._longest_outage = longest_outage
        self._streak: list[tuple[str, Failure]] = []
        self._counted_at = utc_now()
        self._failures = 0
        self._failing_since = self._counted_at

    @property
    def streak(self) -> int:
        """Failures of one kind without a success between them, each outage counted once."""
        return len(self._streak)

    def note(self, task: str, failure: Failure | None, began: datetime | None = None) -> Failure | None:
        """Take in how a piece of work on a task ended; return the failure that everything ends with, if it has come to that.

        `began` is when the work began, if it is going to be repeated where that can help.
        """
        if failure is None or (self._streak and self._streak[-1][1].kind != failure.kind):
            self._streak.clear()
        if failure is None:
            return None
        now = utc_now()
        if not self._streak:
            self._failures, self._failing_since = 0, now
        self._failures += 1
        transient = failure.retryable and began is not None
        if not (transient and self._streak and began is not None and began < self._counted_at):
            self._counted_at = now
            self._streak.append((task, failure))
        enough = len(self._streak) >= (SHORTEST_STREAK if transient else self._length)
        lasting = (
            transient and self._failures >= self._concurrency and now - self._failing_since >= self._longest_outage
        )
        # A provider does not know which task it is asked about.
        several = self._several_tasks and failure.boundary != "model"
        one_of_several = several and len({name for name, _ in self._streak}) == 1
        return failure if (enough or lasting) and not one_of_several else None
