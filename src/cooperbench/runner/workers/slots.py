"""Test slots shared by the processes that evaluate: locked files, which the kernel frees however a process ends.

`cooperbench.evaluation.TestSlots` says what slots are for. `filelock` was tried: it needs as many lines, since it cannot wait for
any one of several locks either, takes 15 times as long for each (0.3 ms against 0.02 ms), and its import costs every worker asyncio.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cooperbench.evaluation import processors
from cooperbench.records import Record

LOOK_AHEAD = 1
"""Evaluations that merge and start sandboxes while as many as are allowed run tests."""
PAUSE = 0.02
"""Seconds between two attempts to find a free slot: the kernel cannot wait for any one of several locks."""


class FileSlots(Record):
    """Slots for all processes that know the folder: `places` running suites, and `ahead` more sandboxes than that."""

    folder: Path
    places: int
    ahead: int

    def sandbox(self) -> AbstractContextManager[None]:
        """Wait for a sandbox slot, and hold it during the block."""
        return self._hold("sandbox", self.places + self.ahead)

    def running(self) -> AbstractContextManager[None]:
        """Wait for a slot to run tests, and hold it during the block."""
        return self._hold("running", self.places)

    @contextmanager
    def _hold(self, kind: str, count: int) -> Iterator[None]:
        while (descriptor := self._lock_any(kind, count)) is None:
            time.sleep(PAUSE)
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock_any(self, kind: str, count: int) -> int | None:
        """Lock a free slot, and return the descriptor that holds it."""
        for number in range(count):
            descriptor = os.open(self.folder / f"{kind}-{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                os.close(descriptor)
        return None


def make_slots(folder: Path, evaluations: int) -> FileSlots:
    """Create `folder` with slots for that many evaluations at a time, each with a suite for every processor."""
    folder.mkdir()
    return FileSlots(folder=folder, places=evaluations * processors(), ahead=processors())
