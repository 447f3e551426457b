"""Agents that misuse their process."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.testing.work import begin, good_result

LONGEST = 600.0
"""Seconds after which even the process of a failed test is gone."""


@register("testing/hang")
class Hangs:
    """Never returns."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Wait, with the environment open."""
        begin(image, config)
        time.sleep(LONGEST)
        return good_result()


@register("testing/ignore_signals")
class IgnoresSignals:
    """Never returns, computes all the time, and ignores every signal that can be ignored."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Compute."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        begin(image, config)
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            pass
        return good_result()


@register("testing/hang_in_command")
class HangsInCommand:
    """Runs a command that never ends, without a limit of its own."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Run it."""
        env = begin(image, config)
        env.execute("sleep 100000", timeout=LONGEST)
        return good_result()


@register("testing/exit")
class Exits:
    """Ends its process without a word."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Leave by `os._exit`."""
        begin(image, config)
        os._exit(7)


@register("testing/segfault")
class Crashes:
    """Crashes the interpreter."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Read where nothing is."""
        begin(image, config)
        ctypes.string_at(0)
        return good_result()


@register("testing/memory")
class HogsMemory:
    """Takes memory until that fails, the process is killed, or it has `megabytes`."""

    def __init__(self, megabytes: int = 1024) -> None:
        self.megabytes = megabytes

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Take it in steps of 16 MB."""
        begin(image, config)
        taken = [bytearray(os.urandom(1) * (16 << 20)) for _ in range(self.megabytes // 16)]
        return good_result(status=f"Took {len(taken) * 16} MB")


@register("testing/fork")
class Forks:
    """Leaves child processes behind, each in a session of its own and deaf to SIGTERM."""

    def __init__(self, count: int = 10) -> None:
        self.count = count

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Start them and submit."""
        env = begin(image, config)
        script = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep({LONGEST})"
        for _ in range(self.count):
            subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
        env.execute("for i in 1 2 3 4 5; do setsid sleep 600 & done")
        env.cleanup()
        return good_result()


@register("testing/thread")
class LeavesThread:
    """Submits, and leaves a thread that keeps its process from ending."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Start the thread and submit."""
        env = begin(image, config)
        threading.Thread(target=time.sleep, args=(LONGEST,), daemon=False).start()
        env.cleanup()
        return good_result()
