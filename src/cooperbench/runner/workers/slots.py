"""Turns at running tests between processes that evaluate: locked files, which the kernel frees however a process ends.

See `cooperbench.evaluation.Turns` for what turns are for.
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
"""Seconds between two looks for a free place: nothing of the kernel's waits for any one of several locks."""


class FileTurns(Record):
    """Turns of all processes that know the folder: `places` suites at a time, and up to `ahead` sandboxes beside theirs."""

    folder: Path
    places: int
    ahead: int

    def sandbox(self) -> AbstractContextManager[None]:
        """Wait until a sandbox may exist, and hold that right with the block."""
        return self._hold("sandbox", self.places + self.ahead)

    def running(self) -> AbstractContextManager[None]:
        """Wait until tests may run, and hold that right with the block."""
        return self._hold("running", self.places)

    @contextmanager
    def _hold(self, right: str, count: int) -> Iterator[None]:
        while (place := self._find(right, count)) is None:
            time.sleep(PAUSE)
        try:
            yield
        finally:
            os.close(place)

    def _find(self, right: str, count: int) -> int | None:
        """The descriptor of a place that was free and is ours now."""
        for number in range(count):
            descriptor = os.open(self.folder / f"{right}-{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                os.close(descriptor)
        return None


def make_turns(folder: Path, evaluations: int) -> FileTurns:
    """Turns for so many evaluations at a time, each with a suite for every processor. `folder` is made for them."""
    folder.mkdir()
    return FileTurns(folder=folder, places=evaluations * processors(), ahead=processors())
