"""To whom sandboxes belong: one run directory on one machine.

Names of runs are not enough, because two runs in different folders may have the same. Whoever works on a run directory holds its
lock, so what belongs to it and still exists at the beginning is a leftover.
"""

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cooperbench.records.layout import RunDirectory

OWNER = "COOPERBENCH_OWNER"
"""The variable that a run sets for its processes."""


def run_owner(directory: RunDirectory) -> str:
    """Return the name of a run directory as an owner: 16 hexadecimal digits."""
    place = f"{socket.gethostname()}\0{directory.path.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def current_owner() -> str:
    """Return the owner for which this process works; empty outside a run."""
    return os.environ.get(OWNER, "")


@contextmanager
def owning(directory: RunDirectory) -> Iterator[str]:
    """Let everything that this process and its children create belong to a run directory."""
    before = os.environ.get(OWNER)
    os.environ[OWNER] = owner = run_owner(directory)
    try:
        yield owner
    finally:
        if before is None:
            del os.environ[OWNER]
        else:
            os.environ[OWNER] = before
