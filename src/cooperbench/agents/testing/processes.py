"""Agents that misuse their process."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from cooperbench.agents.result import AgentResult
from cooperbench.agents.testing.work import good_result, misbehaving
from cooperbench.environments import Environment

LONGEST = 600.0
"""Seconds after which even the process of a failed test is gone."""


@misbehaving("hang")
def hang(env: Environment) -> AgentResult:
    """Wait forever, with the sandbox open."""
    time.sleep(LONGEST)
    return good_result()


@misbehaving("ignore_signals")
def ignore_signals(env: Environment) -> AgentResult:
    """Compute forever, and ignore every signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        pass
    return good_result()


@misbehaving("hang_in_command")
def hang_in_command(env: Environment) -> AgentResult:
    """Run a command that never ends, without a limit of its own."""
    env.execute("sleep 100000", timeout=LONGEST)
    return good_result()


@misbehaving("exit")
def leave_process(env: Environment) -> AgentResult:
    """End the process without a word."""
    os._exit(7)


@misbehaving("segfault")
def crash(env: Environment) -> AgentResult:
    """Crash the interpreter by reading where nothing is."""
    ctypes.string_at(0)
    return good_result()


@misbehaving("memory")
def hog_memory(env: Environment, megabytes: int = 1024) -> AgentResult:
    """Take memory in steps of 16 MB until that fails, the process is killed, or it has `megabytes`."""
    taken = [bytearray(os.urandom(1) * (16 << 20)) for _ in range(megabytes // 16)]
    return good_result(status=f"Took {len(taken) * 16} MB")


@misbehaving("fork")
def leave_processes(env: Environment, count: int = 10) -> AgentResult:
    """Leave child processes behind, each in its own session and deaf to SIGTERM."""
    script = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep({LONGEST})"
    for _ in range(count):
        subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    env.execute("for i in 1 2 3 4 5; do setsid sleep 600 & done")
    env.cleanup()
    return good_result()


@misbehaving("thread")
def leave_thread(env: Environment) -> AgentResult:
    """Leave a thread behind that keeps the process from ending."""
    threading.Thread(target=time.sleep, args=(LONGEST,), daemon=False).start()
    env.cleanup()
    return good_result()
