"""How fast sandboxes may be created at a provider, agreed between all processes of this user.

Providers count creations for an account, not for a process: a run starts one process for each agent, and each of them alone
stays below any limit. So the next free moment lies in one small locked file in the cache folder. A provider that throttles all
the same moves that moment for everybody.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cooperbench.environments.locks import locked
from cooperbench.errors import CapacityError, TransportError
from cooperbench.records import cache_dir

T = TypeVar("T")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
FORGOTTEN = 300.0
"""Seconds; a moment further away than this was written by a clock that has been set back."""


class CreationLimiter:
    """Spaces out creations by `interval` seconds. One for each provider; safe between threads and processes."""

    def __init__(self, name: str, *, interval: float, folder: Path | None = None) -> None:
        self._path = (folder or cache_dir() / "limits") / f"{name}.next"
        self._interval = interval

    def wait(self) -> float:
        """Sleep until it is our turn and return for how many seconds that was."""
        now = time.time()
        turn = self._update(lambda free: (max(now, free), max(now, free) + self._interval))
        seconds = max(0.0, turn - now)
        time.sleep(seconds)
        return seconds

    def hold_back(self, seconds: float) -> None:
        """Let nobody create anything for so many seconds: the provider has said no."""
        until = time.time() + seconds
        self._update(lambda free: (until, max(free, until)))

    def _update(self, change: Callable[[float], tuple[float, float]]) -> float:
        """Change the next free moment under a lock; `change` gives our own turn and the moment to store."""
        with locked(self._path) as descriptor:
            stored = os.read(descriptor, 64).decode("ascii", "replace").strip("\0 \n")
            try:
                free = float(stored)
            except ValueError:
                free = 0.0
            if free > time.time() + FORGOTTEN:
                free = 0.0
            turn, following = change(free)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{following:.6f}".encode(), 0)
            return turn


def create_patiently(create: Callable[[], T], limiter: CreationLimiter, *, patience: float) -> T:
    """Call `create` in turn, and again after a growing pause while the provider is full, for `patience` seconds in all.

    Only `CapacityError` and `TransportError` are tried again. A `TransportError` may have created something; it carries
    our labels, ends by its lifetime, and `cooperbench clean` finds it.
    """
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        limiter.wait()
        try:
            return create()
        except (CapacityError, TransportError) as error:
            if time.monotonic() + pause > deadline:
                raise
            if isinstance(error, CapacityError):
                limiter.hold_back(pause)
            else:
                time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * random.uniform(1.6, 2.4))
