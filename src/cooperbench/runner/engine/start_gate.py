"""Let episodes begin a few at a time.

One begins when one before it is at work, two at a time for each processor: hundreds that begin at the same moment would all wait
until the last of them has its sandbox, and those at work would wait for a processor.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StartGate:
    """Gives permission to begin, and counts who waits for it."""

    def __init__(self) -> None:
        self._starts = threading.Semaphore(2 * (os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Episodes that were announced and have no permission yet."""
        return self._waiting

    def announce(self) -> None:
        """Count an episode among those that wait."""
        self._count(1)

    @contextmanager
    def permission_to_begin(self) -> Iterator[Callable[[], None]]:
        """Wait until another episode may begin; let the next one begin when the callable is called, at the latest after the block."""
        self._starts.acquire()
        self._count(-1)
        held = [self._starts]

        def give_back() -> None:
            while held:
                held.pop().release()

        try:
            yield give_back
        finally:
            give_back()

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change
