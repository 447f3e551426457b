"""End a program that does not end by itself: one that goes on without its model, and one that stays after its last word."""

import threading
import time
from typing import Self

from cooperbench.agents.budget import Budget
from cooperbench.environments.process import Process

AFTER_LIMIT = 10.0
"""Seconds that a program may take to end once a limit was reached. Claude Code and Codex end at once."""
AFTER_FINAL_REPORT = 15.0
"""Seconds that it may stay after it reported its end, without a further word."""
LOOK = 0.5


class EndWatch:
    """Watches one program while its output is read. Use it as a context manager."""

    def __init__(self, process: Process, budget: Budget) -> None:
        self._process = process
        self._budget = budget
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cooperbench-end-watch", daemon=True)
        self._limit_since: float | None = None
        self._final_since: float | None = None

    def heard(self, *, ended: bool) -> None:
        """Note that the program said something; `ended` once it has reported its end."""
        self._final_since = time.monotonic() if ended else None

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            now = time.monotonic()
            if self._budget.reached is not None:
                self._limit_since = self._limit_since or now
            since_limit = now - (self._limit_since or now)
            since_final = now - (self._final_since or now)
            if since_limit > AFTER_LIMIT or since_final > AFTER_FINAL_REPORT:
                self._process.kill()
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
