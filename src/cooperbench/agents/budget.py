"""The budget of a member: its limits, and what it has used so far.

The runner activates a budget in the agent's process; models ask it before each call and charge it afterwards. A call that was
paid for is never discarded, so a member overshoots its limit by at most one call, and a run its `max_cost` by at most one call
per running member. The budget also writes the progress that the live display shows. Outside a run the active budget has no
limits.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from cooperbench.agents.reading import one_line
from cooperbench.errors import LimitReachedError, ModelError
from cooperbench.records import LimitReached, Limits, Usage, utc_now
from cooperbench.records.activity import ModelSpan, current_activity
from cooperbench.records.ledger import RunLedger
from cooperbench.records.member_files import Progress
from cooperbench.records.model_wait import ModelWait
from cooperbench.records.paths import AnyPath
from cooperbench.records.process_wide import ProcessWide


class Budget:
    """Counts model calls, tokens and cost against limits. Safe to use from several threads."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        progress: AnyPath | None = None,
        waits: AnyPath | None = None,
        ledger: RunLedger | None = None,
        messages: Callable[[], int] = lambda: 0,
    ) -> None:
        self.limits = limits or Limits(steps=None, tokens=None, cost=None)
        self.steps = 0
        self.usage = Usage(cost=0.0)
        self.known_cost = 0.0
        """US dollars of the calls with a known price; the cost limit applies to this sum."""
        self.reached: LimitReachedError | None = None
        """The limit that ended the work, even if the agent swallowed the error."""
        self.provider_failure: ModelError | None = None
        """The provider's failure at the last call that went through the gateway, if it failed."""
        self.pauses = None if ledger is None else ledger.path.with_name(".pauses")
        """Folder in which the members of a run share the pauses that providers ask for; `None` outside a run."""
        self._progress = None if progress is None else Path(progress)
        self._progress_file: int | None = None
        self._longest = 0
        self._ledger = ledger
        self._messages = messages
        self._last_action = ""
        self._pending = 0
        self._asked_at: datetime | None = None
        self._heard_at: datetime | None = None
        self._last_asked: datetime | None = None
        self._first_heard: datetime | None = None
        self._waits = None if waits is None else Path(waits)
        self._waiting: ModelWait | None = None
        self._terminal: AnyPath | None = None
        self._lock = threading.Lock()

    def before_call(self) -> None:
        """Raise `LimitReachedError` when nothing is left for another model call."""
        with self._lock:
            tokens = (self.usage.input_tokens or 0) + (self.usage.output_tokens or 0)
            self._check("steps", self.steps, self.limits.steps)
            self._check("tokens", tokens, self.limits.tokens)
            self._check("cost", self.known_cost, self.limits.cost)
            if self._ledger is not None and self._ledger.limit is not None:
                self._check("run cost", self._ledger.total(), self._ledger.limit)

    def reach(self, error: LimitReachedError) -> None:
        """Note a limit that is not one of `limits`, such as the end of a recording."""
        with self._lock:
            self.reached = error
            self._write()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Record that an answer of the model is pending: a time limit reached meanwhile may not be the agent's fault.

        Several may be pending at once.
        """
        with self._lock:
            self._pending += 1
            self._asked_at, self._heard_at = utc_now(), None
            self._last_asked, self._first_heard = self._asked_at, None
            self._write()
        try:
            yield
        finally:
            with self._lock:
                self._pending -= 1
                if self._pending == 0:
                    self._asked_at = self._heard_at = None

    def note_answering(self) -> None:
        """Record that parts of the pending answer are coming: the time that they take is the model's own."""
        with self._lock:
            now = utc_now()
            self._first_heard = self._first_heard or now
            if self._heard_at is None or (now - self._heard_at).total_seconds() > 1.0:
                self._heard_at = now
                self._write()

    def begin_wait(self, wait: ModelWait) -> None:
        """Record that the member waits for the model's provider, for the display and for the record."""
        with self._lock:
            self._waiting = wait
            self._write()
            if self._waits is not None:
                with self._waits.open("ab") as stream:
                    stream.write(wait.model_dump_json().encode() + b"\n")

    def end_wait(self) -> None:
        """Record that the model is asked again."""
        with self._lock:
            if self._waiting is not None:
                self._waiting = None
                self._write()

    def charge(self, usage: Usage, *, began: datetime | None = None, first_token_at: datetime | None = None) -> None:
        """Count one model call. A cost of `None` (unknown price) makes the total unknown.

        `began` is when it was asked, for callers that do not use `asking` or have several calls pending.
        """
        with self._lock:
            span = ModelSpan(
                started_at=began or self._last_asked,
                first_token_at=first_token_at if began else self._first_heard,
                ended_at=utc_now(),
                usage=usage,
            )
            self._last_asked = self._first_heard = None
            current_activity().add(span)
            self.steps += 1
            self.known_cost += usage.cost or 0.0
            self.usage = add_usage(self.usage, usage)
            if self._ledger is not None and usage.cost:
                self._ledger.add(usage.cost)
            self._write()

    def charge_unseen(self, cost: float | None) -> None:
        """Charge the run for the cost that an agent reports beyond the calls that were counted."""
        unseen = (cost or 0.0) - self.known_cost
        if self._ledger is not None and unseen > 1e-9:
            self._ledger.add(unseen)

    def offer_terminal(self, place: AnyPath | None) -> None:
        """Say where a person can take the member's place, or with `None` that somebody has."""
        with self._lock:
            self._terminal = place
            self._last_action = "waits for a person" if place is not None else "a person at work"
            self._write()

    def note_action(self, text: str) -> None:
        """Set the current action of the member, for the live display."""
        with self._lock:
            self._last_action = one_line(text)
            self._write()

    def _check(self, kind: str, value: float, limit: float | None) -> None:
        if limit is not None and value >= limit:
            first = self.reached is None
            self.reached = LimitReachedError(kind, value, limit)
            if first:
                self._write()
            raise self.reached

    def _write(self) -> None:
        """Overwrite the progress, without flushing it to disk: it is worthless after a crash.

        This happens twice per turn. It is one write to an open file, padded to the longest write so far, because creating a file
        each time is expensive.
        """
        if self._progress is None:
            return
        progress = Progress(
            steps=self.steps,
            usage=self.usage,
            last_action=self._last_action,
            messages=self._messages(),
            limit=limit_of(self.reached),
            asked_at=self._asked_at,
            heard_at=self._heard_at,
            waiting=self._waiting,
            terminal=None if self._terminal is None else str(self._terminal),
            updated_at=utc_now(),
        ).model_dump_json()
        if self._progress_file is None:
            self._progress_file = os.open(self._progress, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        data = progress.encode()
        self._longest = max(self._longest, len(data))
        os.pwrite(self._progress_file, data.ljust(self._longest), 0)


def limit_of(error: BaseException | None) -> LimitReached | None:
    """Return the limit behind an error as data; `None` for another kind of error."""
    if isinstance(error, LimitReachedError):
        return LimitReached(kind=error.kind, value=error.value, limit=error.limit)
    return None


def add_usage(left: Usage, right: Usage) -> Usage:
    """Add two usages. A token count that one side lacks is that of the other; the cost is unknown when either is."""

    def tokens(one: int | None, other: int | None) -> int | None:
        return other if one is None else one if other is None else one + other

    return Usage(
        cost=None if left.cost is None or right.cost is None else left.cost + right.cost,
        input_tokens=tokens(left.input_tokens, right.input_tokens),
        output_tokens=tokens(left.output_tokens, right.output_tokens),
        cached_tokens=tokens(left.cached_tokens, right.cached_tokens),
    )


_active = ProcessWide(Budget())


def current_budget() -> Budget:
    """Return the active budget of this process and all of its threads; outside a run it has no limits."""
    return _active.current()


def activate_budget(budget: Budget) -> AbstractContextManager[Budget]:
    """Make a budget the active one of this process."""
    return _active.activate(budget)
