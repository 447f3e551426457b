"""The pauses that providers ask for, shared by all members of a run: on one machine, or on all that name the same Redis.

A provider limits an account, not a member. So a member that is refused tells the others when to ask again, in a file, one for each
provider, and in the run's Redis; without that each of 40 members would find out for itself, at the cost of 40 refusals.
"""

import hashlib
import os
import random
import socket
import time
from contextlib import suppress
from pathlib import Path

from cooperbench.environments.shared_limits import shared_limits

SPREAD = 0.2
"""Part of a pause over which members spread their return, not to be refused again all at once."""


class SharedPauses:
    """When providers may be asked again. Without a folder it holds for this process alone."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._until: dict[str, float] = {}

    def extend(self, provider: str, seconds: float) -> None:
        """Note that a provider is not to be asked for so many seconds."""
        if (shared := shared_limits()) is not None:
            shared.take_turn(_limit_of(provider), pause=seconds)
        until = time.time() + seconds
        if until <= self._known(provider):
            return
        self._until[provider] = until
        if self._folder is None:
            return
        with suppress(OSError):  # the member itself waits all the same
            self._folder.mkdir(exist_ok=True)
            path = self._path(provider)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_text(repr(until))
            draft.replace(path)

    def left(self, provider: str, limit: float) -> float:
        """Return the seconds to wait before asking a provider, at most `limit`; 0 for none."""
        left = min(max(self._known(provider) - time.time(), _left_for_all(provider)), limit)
        return left * random.uniform(1.0, 1.0 + SPREAD) if left > 0 else 0.0

    def _known(self, provider: str) -> float:
        with suppress(OSError, ValueError):
            if self._folder is not None:
                self._until[provider] = max(self._until.get(provider, 0.0), float(self._path(provider).read_text()))
        return self._until.get(provider, 0.0)

    def _path(self, provider: str) -> Path:
        assert self._folder is not None
        # A file for each machine: the times in it are by the machine's own clock, and those of two may differ by hours.
        return self._folder / hashlib.sha256(f"{socket.gethostname()}\0{provider}".encode()).hexdigest()[:16]


def _limit_of(provider: str) -> str:
    return f"calls to {provider}"


def _left_for_all(provider: str) -> float:
    """Return the seconds of a pause that members on any machine found."""
    shared = shared_limits()
    return 0.0 if shared is None else shared.take_turn(_limit_of(provider)) or 0.0
