"""`costs.txt`: the cost of every model call of a run, shared by all members.

Each call appends one line (`O_APPEND` writes of this size do not mix), and each reader reads only what was added since its last
look. No lock, nothing to repair after a kill.
"""

import contextlib
import math
import os
from pathlib import Path

from cooperbench.errors import UnreadableError
from cooperbench.records.files import read_file


class RunLedger:
    """The costs of all calls of a run in one append-only file, discarded attempts included, and their limit."""

    def __init__(self, path: Path, limit: float | None = None) -> None:
        self.path = path
        self.limit = limit
        self._total = 0.0
        self._read = 0

    def add(self, cost: float) -> None:
        """Append one call's cost, in US dollars."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            # A line of its own even behind one that a full disk cut off.
            os.write(descriptor, f"\n{cost:.9f}\n".encode())
        finally:
            os.close(descriptor)

    def total(self) -> float:
        """Return the US dollars spent by the whole run. Raises `UnreadableError` for a line that is not an amount."""
        try:
            added = read_file(self.path, start=self._read)
        except FileNotFoundError:
            return self._total
        whole = added[: added.rfind(b"\n") + 1]
        self._total += sum(map(self._amount, whole.split()))
        self._read += len(whole)
        return self._total

    def _amount(self, line: bytes) -> float:
        with contextlib.suppress(ValueError):
            if math.isfinite(amount := float(line)) and amount >= 0:
                return amount
        shown = line[:40].decode("ascii", "backslashreplace")
        raise UnreadableError(
            f"{self.path}: {shown!r} is not an amount in US dollars",
            subject=str(self.path),
            hint="fix or remove the line",
        )
