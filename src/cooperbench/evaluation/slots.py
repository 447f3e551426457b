"""Who may run tests now, and whose sandbox may be made ready meanwhile.

Starting and ending a sandbox takes longer than many a suite, and is mostly waiting. So a suite holds one turn for its sandbox,
from before its start until it is gone, and another only while its tests run. A few more sandboxes than running suites are allowed:
the next suites' are started, and those of the last ended, beside the tests. Every suite has a sandbox of its own, started for
it and labelled as its own; nothing is started for work that is not certain to come.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from cooperbench.errors import EvaluationError


def processors() -> int:
    """How many suites run side by side when nobody says so."""
    return os.cpu_count() or 1


class Turns(Protocol):
    """Shared by all suites that take turns; safe between threads."""

    def sandbox(self) -> AbstractContextManager[None]:
        """Wait until a sandbox may exist, and hold that right with the block."""
        ...

    def running(self) -> AbstractContextManager[None]:
        """Wait until tests may run, and hold that right with the block."""
        ...


class ThreadTurns:
    """Turns of the threads of one process: `running` suites at a time, and up to `ahead` sandboxes beside theirs."""

    def __init__(self, running: int, *, ahead: int) -> None:
        self._running = threading.BoundedSemaphore(running)
        self._sandboxes = threading.BoundedSemaphore(running + ahead)
        self._stopped = threading.Event()

    def sandbox(self) -> AbstractContextManager[None]:
        """See `Turns`. Raises `EvaluationError` once stopped."""
        return self._hold(self._sandboxes)

    def running(self) -> AbstractContextManager[None]:
        """See `Turns`. Raises `EvaluationError` once stopped."""
        return self._hold(self._running)

    def stop(self) -> None:
        """Let what runs come to its end, and nothing else begin."""
        self._stopped.set()

    @contextmanager
    def _hold(self, semaphore: threading.BoundedSemaphore) -> Iterator[None]:
        with semaphore:
            if self._stopped.is_set():
                raise EvaluationError("the evaluation was stopped")
            yield
