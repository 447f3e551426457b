import subprocess
import sys
import time
from pathlib import Path

from cooperbench.runner.workers.processes import kill_tree

# A leader with a child in its session, one in a session of its own, and one that ignores what can be ignored.
FAMILY = """
import os, signal, subprocess, sys, time
children = [
    subprocess.Popen(["sleep", "1000"]),
    subprocess.Popen(["sleep", "1000"], start_new_session=True),
    subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; sleep 1000"]),
]
print(*(child.pid for child in children), flush=True)
time.sleep(1000)
"""


def test_everything_a_leader_started_ends_with_it() -> None:
    leader = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    children = [int(word) for word in leader.stdout.readline().split()]
    kill_tree(leader.pid)
    leader.wait()
    leader.stdout.close()
    for child in children:
        assert _ends(child)


def _ends(process: int) -> bool:
    """Whether a process that was killed ends; init reaps it in its own time."""
    deadline = time.monotonic() + 60
    while _runs(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_killing_what_is_gone_is_fine() -> None:
    done = subprocess.Popen(["true"], start_new_session=True)
    done.wait()
    kill_tree(done.pid)
