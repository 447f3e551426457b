"""One process works on a run at a time.

The lock is a `flock` on `<run>/.lock`: the kernel drops it when its holder ends, however it ends, so that a killed run never
needs cleaning up before it can be resumed. The file says who holds it, for the message to the second one.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cooperbench.errors import RunLockedError, UsageError
from cooperbench.records.layout import RunDirectory

_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds between two attempts."""


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Hold the run for this process.

    Raises `RunLockedError` when another one holds it, `UsageError` when the run directory cannot be made.
    """
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UsageError(
            f"cannot write to {directory.path}: {error.strerror}",
            subject=str(directory.path),
            hint="choose another place with --log-dir",
        ) from error
    try:
        if not _acquire(descriptor):
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            raise RunLockedError(
                f"{holder} is working on run {directory.path.name!r}",
                subject=str(directory.path),
                hint=f"cooperbench runs watch {directory.path.name}",
            )
        with contextlib.suppress(OSError):  # the lock holds without its holder's name, also on a full disk
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> bool:
    """Take the lock unless another run holds it.

    `is_locked` can only look by taking it too, for microseconds: one refusal says nothing. Without further attempts 28% of the
    starts beside a process that looked all the time were refused.
    """
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def is_locked(directory: RunDirectory) -> bool:
    """Return true while a process works on the run."""
    try:
        descriptor = os.open(directory.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
