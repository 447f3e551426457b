"""Ending a worker together with everything it started."""

import contextlib
import os
import signal
from pathlib import Path

_ROUNDS = 50


def kill_tree(leader: int) -> None:
    """Kill the session `leader` and all its descendants.

    They are stopped first, until no new ones appear: a fork bomb would outrun a killer, and the children of a killed process
    could no longer be told from others'. Where there is no /proc (macOS) the process group is killed, which covers all but
    programs that left it.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        new = _members(leader) - stopped
        if not new:
            break
        for process in new:
            _send(process, signal.SIGSTOP)
        stopped |= new
    for process in stopped:
        _send(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _members(leader: int) -> set[int]:
    """Living processes of the session `leader` and their descendants."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text(errors="replace")
        except OSError:
            continue
        # The command name, in parentheses, may contain anything; the fields start after the last one.
        state, parent, group, session = text[text.rindex(")") + 2 :].split()[:4]
        if state in "ZX":
            continue
        process = int(entry.parent.name)
        parents[process] = int(parent)
        if leader in (process, int(group), int(session)):
            found.add(process)
    grown = True
    while grown:
        children = {process for process, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return found
