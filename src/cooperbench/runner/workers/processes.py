"""Ending a worker together with everything it started."""

import contextlib
import os
import signal
from pathlib import Path

from cooperbench.environments.scope import WORKER_MARK

_ROUNDS = 50


def kill_tree(leader: int, mark: str = "") -> None:
    """Kill the session `leader`, all its descendants, and the programs that carry its mark in their environment.

    They are stopped first, until no new ones appear: a fork bomb would outrun a killer, and the children of a killed process
    could no longer be told from others'. Where there is no /proc (macOS) the process group is killed, which covers all but
    programs that left it.
    """
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        new = _members(leader, mark) - stopped
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


def _members(leader: int, mark: str) -> set[int]:
    """Living processes of the session `leader`, their descendants, and the marked ones."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    marked = f"{WORKER_MARK}={mark}\0".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "stat").read_text(errors="replace")
            # The command name, in parentheses, may contain anything; the fields start after the last one.
            state, parent, group, session = text[text.rindex(")") + 2 :].split()[:4]
            if state in "ZX":
                continue
            process = int(entry.name)
            parents[process] = int(parent)
            if leader in (process, int(group), int(session)) or (
                mark and marked in (entry / "environ").read_bytes() + b"\0"
            ):
                found.add(process)
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    grown = True
    while grown:
        children = {process for process, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return found
