"""One process works on a run at a time.

The lock is a `flock` on `<run>/.lock`: the kernel drops it when its holder ends, however it ends, so that a killed run never
needs cleaning up before it can be resumed. The file says who holds it, for the message to the second one. Where the file system of
the run has no locks, one in the user's cache holds for this machine.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cooperbench.errors import RunLockedError, UsageError
from cooperbench.records.layout import RunDirectory
from cooperbench.records.paths import cache_dir
from cooperbench.records.run_owner import run_owner

_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds between two attempts."""


@contextmanager
def locked(directory: RunDirectory, *, shared: bool = False) -> Iterator[None]:
    """Hold the run for this process, or for all that share it.

    Raises `RunLockedError` when another one holds it, `UsageError` when the run directory cannot be made.
    """
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise UsageError(
            f"cannot write to {directory.path}: {error.strerror}",
            subject=str(directory.path),
            hint="choose another place with --log-dir",
        ) from error
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            acquired = _acquire(descriptor, shared=shared)
        except _NoLocksError:
            acquired = _acquire(stack.enter_context(_opened(_elsewhere(directory))), shared=shared)
        if not acquired:
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


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file for a lock. Raises `UsageError` where that has no locks either."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(
            f"neither the log directory nor {path.parent} can hold a lock: {error.strerror}",
            subject=str(path),
            hint="choose another place with --log-dir, or set COOPERBENCH_CACHE_DIR",
        ) from error
    try:
        yield descriptor
    except _NoLocksError as error:
        raise UsageError(
            f"neither the log directory nor {path.parent} has locks: {error}",
            subject=str(path),
            hint="choose another place with --log-dir, or set COOPERBENCH_CACHE_DIR",
        ) from error
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, *, shared: bool) -> bool:
    """Take the lock unless another run holds it.

    `is_locked` can only look by taking it too, for microseconds: one refusal says nothing. Without further attempts 28% of the
    starts beside a process that looked all the time were refused.
    """
    for _ in range(_ATTEMPTS):
        if _flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            return True
        time.sleep(_PAUSE)
    return False


def _flock(descriptor: int, kind: int) -> bool:
    """Take a lock if nobody holds it. Raises `_NoLocksError` where the file system has none."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _NoLocksError(error.strerror) from error
    return True


class _NoLocksError(Exception):
    """The file system does not support locks, as some that are mounted over a network."""


def _elsewhere(directory: RunDirectory) -> Path:
    """Return a file on this machine's own disk for the lock of a run whose file system has none."""
    return cache_dir() / "locks" / run_owner(directory)


def is_locked(directory: RunDirectory) -> bool:
    """Return true while a process works on the run, as far as that can be seen from here."""
    with contextlib.suppress(_NoLocksError, OSError):
        return _is_held(directory.lock)
    with contextlib.suppress(_NoLocksError, OSError):
        return _is_held(_elsewhere(directory))
    return False


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        # Processes that share the run hold it shared, and others that look as this one does hold it so for a moment.
        for _ in range(3):
            if _flock(descriptor, fcntl.LOCK_SH) and _flock(descriptor, fcntl.LOCK_EX):
                return False
            time.sleep(_PAUSE)
        return True
    finally:
        os.close(descriptor)
