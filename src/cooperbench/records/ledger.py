"""`costs.txt`: the cost of every model call of a run, shared by all members.

Each call appends one line (`O_APPEND` writes of this size do not mix), and each reader reads only what was added since its last
look. No lock, nothing to repair after a kill. Between two machines appending is not atomic, so each claimant of a shared run has a file
of its own, `costs.<claimant>.txt`, and the run has cost the sum of all.
"""

import contextlib
import math
import os
import re
from pathlib import Path

from cooperbench.errors import UnreadableError
from cooperbench.records.files import read_file

_NAME = re.compile(r"costs(\.[0-9a-f]+)?\.txt")


class RunLedger:
    """The costs of all calls of a run, discarded attempts included, and their limit. Appends to `path`; reads it and those beside it."""

    def __init__(self, path: Path, limit: float | None = None) -> None:
        self.path = path
        self.limit = limit
        self._total = 0.0
        self._read: dict[Path, int] = {}

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
        for path in {self.path, *ledger_files(self.path.parent)}:
            self._total += self._added(path)
        return self._total

    def _added(self, path: Path) -> float:
        """Return what was added to a file since the last look."""
        begin = self._read.get(path, 0)
        try:
            added = read_file(path, start=begin)
        except FileNotFoundError:
            return 0.0
        whole = added[: added.rfind(b"\n") + 1]
        self._read[path] = begin + len(whole)
        return sum(self._amount(path, line) for line in whole.split())

    def _amount(self, path: Path, line: bytes) -> float:
        with contextlib.suppress(ValueError):
            if math.isfinite(amount := float(line)) and amount >= 0:
                return amount
        shown = line[:40].decode("ascii", "backslashreplace")
        raise UnreadableError(
            f"{path}: {shown!r} is not an amount in US dollars",
            subject=str(path),
            hint="fix or remove the line",
        )


def ledger_files(directory: Path) -> list[Path]:
    """List the ledgers of the run in `directory`: its own, and those of claimants."""
    return sorted(path for path in directory.glob("costs*.txt") if _NAME.fullmatch(path.name))
