"""Checks of whether a backend can be used here and now: what is missing, and the command that fixes it.

Each check tries the real thing (starts a namespace, calls the engine, calls the provider) and changes nothing. Backends bring
their own, see `Backend.checks`.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cooperbench.errors import CooperBenchError
from cooperbench.records import Record

SPACE_NEEDED = 5 * 10**9
"""Bytes; an image of a task is 0.3 to 3 GB, and several are in use at a time."""
_NAMED = 5
"""The most names to list one by one."""


class Check(Record):
    """One requirement. `fix` is the command or action that satisfies it."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None
    required: bool = True
    """False when a run may succeed without it."""

    @property
    def blocks(self) -> bool:
        """True when no run can succeed."""
        return self.required and not self.ok


class Readiness(Record):
    """The result of all checks of a backend."""

    backend: str
    ready: bool
    checks: tuple[Check, ...]


def attempt(name: str, look: Callable[[], str]) -> Check:
    """Make a check that passes with what `look` returns, or fails with the error that it raises."""
    try:
        return Check(name=name, ok=True, detail=look())
    except CooperBenchError as error:
        return Check(name=name, ok=False, detail=error.message, fix=error.hint)


def check_space(folder: Path, *, fix: str) -> Check:
    """Check that enough space is free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= SPACE_NEEDED
    return Check(
        name="disk space",
        ok=ok,
        detail=f"{free / 1e9:.1f} GB free at {folder}",
        fix=None if ok else fix,
        required=False,
    )


def listed(names: Sequence[str]) -> str:
    """Return the number of names, with the first of them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} of them ({', '.join(names[:_NAMED])}{more})"
