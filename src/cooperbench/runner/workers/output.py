"""Keep what a worker prints: in a file of which only the end is of interest, however much it prints."""

import os
from pathlib import Path

LONGEST = 1 << 20
"""Bytes that are kept: the last ones."""
TOO_LONG = 64 << 20
"""Bytes at which a file is cut while it is written. An agent that prints forever must not fill the disk."""


def read_end(log: Path) -> bytes:
    """Return the end of what was printed; empty when there is nothing."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LONGEST))
            return stream.read(LONGEST)
    except OSError:
        return b""


def last_line(log: Path) -> str:
    """Return the last line that was printed; empty when there is none."""
    lines = read_end(log).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def keep_short(log: Path) -> None:
    """Cut what was printed to its end if it is too long. The worker appends, so its next word follows what is left."""
    try:
        if log.stat().st_size > TOO_LONG:
            end = read_end(log)
            os.truncate(log, 0)
            with log.open("ab") as stream:
                stream.write(end)
    except OSError:
        return  # gone, or the disk is full: the next look may succeed
