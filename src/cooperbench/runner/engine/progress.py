"""Count what a session has done, and forecast what is left."""

import time
from datetime import datetime
from statistics import fmean

from cooperbench.records import EpisodeResult, EpisodeStatus, Evaluation, Failure, Verdict
from cooperbench.records.ledger import RunLedger
from cooperbench.records.live import Counts
from cooperbench.runner.planning.plan import Plan


class SessionProgress:
    """The numbers behind a display."""

    def __init__(self, plan: Plan) -> None:
        self._planned = len(plan.episodes)
        self._ledger = RunLedger(plan.directory.ledger)
        self._began = time.monotonic()
        self._costs: list[float | None] = []
        self._completed = self._reused = self._failed = self._evaluated = self._passed = 0
        self.spans: list[tuple[datetime, datetime]] = []
        """Begin and end of each episode of this session."""

    def reuse(self, result: EpisodeResult, verdict: Verdict | None = None) -> None:
        """Count an episode that an earlier session, or another process, has ended; and its verdict if it is not evaluated again."""
        self._reused += result.status is EpisodeStatus.COMPLETED
        self.finish(result)
        if verdict is not None:
            self._count(verdict)

    def finish(self, result: EpisodeResult) -> None:
        """Count an episode that is not repeated."""
        if result.status is EpisodeStatus.COMPLETED:
            self._completed += 1
            self._costs.append(result.total_cost)
        elif result.status is EpisodeStatus.INFRA_ERROR:
            self._failed += 1

    def evaluate(self, verdict: Evaluation | Failure) -> None:
        """Count an evaluation."""
        if isinstance(verdict, Evaluation):
            self._count(verdict.verdict)

    def _count(self, verdict: Verdict) -> None:
        self._evaluated += 1
        self._passed += verdict.passed

    def counts(self, *, left: int, running: int, capacity: int) -> Counts:
        """Return the numbers of this moment. `left` are the episodes that have not ended, the `running` ones included."""
        seconds = fmean((end - start).total_seconds() for start, end in self.spans) if self.spans else None
        known = [cost for cost in self._costs if cost is not None]
        at_once = max(1, min(capacity, left))
        return Counts(
            planned=self._planned,
            reused=self._reused,
            completed=self._completed,
            running=running,
            capacity=capacity,
            infra_errors=self._failed,
            evaluated=self._evaluated,
            passed=self._passed,
            cost=self._ledger.total() if len(known) == len(self._costs) else None,
            seconds=time.monotonic() - self._began,
            seconds_left=seconds * left / at_once
            if seconds is not None and self._completed > self._reused and left
            else None,
            cost_left=fmean(known) * left if known else None,
        )
