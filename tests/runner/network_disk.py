"""A file system as a network's: `python network_disk.py BACKING MOUNT SEED` serves a folder until it is unmounted.

Each mount caches attributes and names by itself, so that it sees late what others did; and the answers to some calls are lost, so that
the client asks again and is told that the work is done already.
"""

import errno
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

CACHED = 1.0
"""Seconds for which attributes and names are believed."""
LOST = 0.25
"""Share of the answers that are lost."""


class NetworkDisk(Operations):  # type: ignore[misc]
    use_ns = True

    def __init__(self, backing: str, seed: int) -> None:
        self._backing = Path(backing)
        self._drawn = random.Random(seed)
        self._lock = threading.Lock()

    def _real(self, path: str) -> Path:
        return self._backing / path.lstrip("/")

    def _lose_answer(self, number: int) -> None:
        with self._lock:
            lost = self._drawn.random() < LOST
        if lost:
            raise FuseOSError(number)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = self._real(path).lstat()
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(entry.name for entry in self._real(path).iterdir())]

    def mkdir(self, path: str, mode: int) -> int:
        self._real(path).mkdir(mode)
        if "claim." in path:
            self._lose_answer(errno.EEXIST)
        return 0

    def rename(self, old: str, new: str) -> int:
        self._real(old).rename(self._real(new))
        if Path(old).name.startswith("work."):
            self._lose_answer(errno.ENOENT)
        return 0

    def rmdir(self, path: str) -> int:
        self._real(path).rmdir()
        return 0

    def unlink(self, path: str) -> int:
        self._real(path).unlink()
        return 0

    def link(self, target: str, source: str) -> int:
        self._real(target).hardlink_to(self._real(source))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._real(path).chmod(mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._real(path), ns=times)  # type: ignore[arg-type]
        return 0

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._real(path), length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


if __name__ == "__main__":
    FUSE(
        NetworkDisk(sys.argv[1], int(sys.argv[3])),
        sys.argv[2],
        foreground=True,
        attr_timeout=CACHED,
        entry_timeout=CACHED,
        negative_timeout=CACHED,
    )
