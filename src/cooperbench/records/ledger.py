"""`costs.txt`: the cost of every model call of a run, shared by all members.

Each call appends one line (`O_APPEND` writes of this size do not mix), and each reader reads only what was added since its last
look. No lock, nothing to repair after a kill.
"""

import os
from pathlib import Path


class RunLedger:
    """The costs of all calls of a run in one append-only file, discarded attempts included, and their limit."""

    def __init__(self, path: Path, limit: float | None = None) -> None:
        self.path = path
        self.limit = limit
        self._total = 0.0
        self._read = 0

    def add(self, cost: float) -> None:
        """Append one call's cost, in US dollars."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # A line of its own even behind one that a full disk cut off.
            os.write(descriptor, f"\n{cost:.9f}\n".encode())
        finally:
            os.close(descriptor)

    def total(self) -> float:
        """Return the US dollars spent by the whole run."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._read)
                added = stream.read()
        except FileNotFoundError:
            return self._total
        whole = added[: added.rfind(b"\n") + 1]
        self._total += sum(float(line) for line in whole.split())
        self._read += len(whole)
        return self._total
