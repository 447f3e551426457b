"""The rate at which sandboxes are created at a provider, shared by all processes of this user.

Providers count creations per account. A run starts one process per agent, and each of them alone stays below any limit. So the
next free moment is stored in one small locked file in the cache, or in the Redis that the run names, for all of its machines. When
the provider throttles all the same, that moment moves for everyone.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cooperbench.environments.locks import locked
from cooperbench.environments.shared_limits import shared_limits
from cooperbench.errors import CapacityError, TransportError
from cooperbench.records import cache_dir
from cooperbench.records.paths import AnyPath

T = TypeVar("T")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
FORGOTTEN = 300.0
"""Seconds. A moment further away was written before the clock was set back."""


class CreationLimiter:
    """Spaces out creations by `interval` seconds, one limiter per provider. Safe between threads and processes."""

    def __init__(self, name: str, *, interval: float, folder: AnyPath | None = None) -> None:
        self._path = Path(folder or cache_dir() / "limits") / f"{name}.next"
        self._name = f"creations at {name}"
        self._interval = interval

    def wait(self) -> float:
        """Sleep until it is our turn, and return for how many seconds."""
        shared = shared_limits()
        seconds = None if shared is None else shared.take_turn(self._name, step=self._interval)
        if seconds is not None:
            time.sleep(seconds)
            return seconds
        now = time.time()
        turn = self._update(lambda free: (max(now, free), max(now, free) + self._interval))
        seconds = max(0.0, turn - now)
        time.sleep(seconds)
        return seconds

    def hold_back(self, seconds: float) -> None:
        """Block all creations for so many seconds, because the provider refused one."""
        if (shared := shared_limits()) is not None:
            shared.take_turn(self._name, pause=seconds)
        until = time.time() + seconds
        self._update(lambda free: (until, max(free, until)))

    def _update(self, change: Callable[[float], tuple[float, float]]) -> float:
        """Change the next free moment under a lock; `change` returns our own turn and the moment to store."""
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
    """Call `create` when it is our turn, and again after growing pauses while the provider is full, for `patience` seconds.

    Only `CapacityError` and `TransportError` are retried. After a `TransportError` something may have been created: it carries our
    labels, ends with its lifetime, and `cooperbench clean` finds it.
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
