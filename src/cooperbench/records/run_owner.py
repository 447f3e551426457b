"""To whom sandboxes belong: one run directory on one machine.

Names of runs are not enough, because two runs in different folders may have the same. Whoever works on a run directory holds its
lock, so what belongs to it and still exists at the beginning is a leftover.
"""

import hashlib
import os
import socket

from cooperbench.records.layout import RunDirectory

OWNER = "COOPERBENCH_OWNER"
"""The variable that a run sets for each of its workers, never for the process that runs it: several runs may share that one."""


def run_owner(directory: RunDirectory, claimant: str = "") -> str:
    """Return the name of a run directory, or of one of the processes that share it, as an owner: 16 hexadecimal digits."""
    place = f"{socket.gethostname()}\0{directory.path.resolve()}" + (f"\0{claimant}" if claimant else "")
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def current_owner() -> str:
    """Return the owner for which this process works; empty outside a run."""
    return os.environ.get(OWNER, "")
