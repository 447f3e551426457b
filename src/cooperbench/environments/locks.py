"""Locks between the processes of this user. The kernel drops one when its holder ends, `kill -9` included.

Waiting is the kernel's, too: filelock looks twenty times a second, which costs four times the processor time when a hundred
processes wait (`benchmarks/libraries.py locks`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the lock of a file, made where it is missing, and yield the file's descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
