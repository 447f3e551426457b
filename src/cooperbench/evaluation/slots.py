"""Test slots: who may run tests now, and whose sandbox may be prepared meanwhile.

Starting and ending a sandbox takes longer than many suites, and is mostly waiting. So a suite holds one slot for its sandbox,
from before its start until it is gone, and another only while its tests run. There are a few more sandboxes than running suites:
the next ones start and the last ones end beside the tests. Every suite has a sandbox of its own, and none is started for work
that is not certain to come, but for the broken versions of a suite where processors idle (`testbench`).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from cooperbench.errors import EvaluationError


def processors() -> int:
    """Return how many suites run side by side by default."""
    return os.cpu_count() or 1


class TestSlots(Protocol):
    """Limits on sandboxes and running suites, shared by threads or processes."""

    def sandbox(self) -> AbstractContextManager[None]:
        """Wait for a sandbox slot, and hold it during the block."""
        ...

    def running(self) -> AbstractContextManager[None]:
        """Wait for a slot to run tests, and hold it during the block."""
        ...


class ThreadSlots:
    """Slots for the threads of one process: `running` suites at a time, and `ahead` more sandboxes than that."""

    def __init__(self, running: int, *, ahead: int) -> None:
        self._running = threading.BoundedSemaphore(running)
        self._sandboxes = threading.BoundedSemaphore(running + ahead)
        self._stopped = threading.Event()

    def sandbox(self) -> AbstractContextManager[None]:
        """Wait for a sandbox slot. Raises `EvaluationError` once stopped."""
        return self._hold(self._sandboxes)

    def running(self) -> AbstractContextManager[None]:
        """Wait for a slot to run tests. Raises `EvaluationError` once stopped."""
        return self._hold(self._running)

    def stop(self) -> None:
        """Refuse every further slot; suites that already run finish."""
        self._stopped.set()

    @contextmanager
    def _hold(self, semaphore: threading.BoundedSemaphore) -> Iterator[None]:
        with semaphore:
            if self._stopped.is_set():
                raise EvaluationError("the evaluation was stopped")
            yield
