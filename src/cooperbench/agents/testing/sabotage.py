"""Agents that damage what the harness works with in their process."""

import builtins
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NoReturn

from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.testing.work import begin, good_result, misbehaving
from cooperbench.environments import Environment


@misbehaving("print")
def print_much(env: Environment, megabytes: int = 1024) -> AgentResult:
    """Print very much."""
    env.cleanup()
    line = "x" * (1 << 20)
    for _ in range(megabytes):
        print(line)
    return good_result()


@misbehaving("close_files")
def close_files(env: Environment) -> AgentResult:
    """Close files that the agent did not open."""
    os.closerange(0, 21)
    return good_result()


@register("testing/remove_folder")
class RemovesFolder:
    """Removes the directory in which the harness works."""

    def run(
        self, task: str, image: str, *, config: dict[str, Any] | None = None, log_dir: str | None = None
    ) -> AgentResult:
        """Remove it and submit."""
        begin(image, config)
        if log_dir is not None:
            shutil.rmtree(Path(log_dir).parent)
        return good_result()


@misbehaving("break_python")
def break_python(env: Environment) -> AgentResult:
    """Replace functions that all code relies on."""
    vandalise: Any = _refuse
    builtins.open = vandalise
    json.dumps = json.loads = vandalise
    os.replace = os.fsync = vandalise
    return good_result()


@misbehaving("kill_parent")
def kill_parent(env: Environment) -> AgentResult:
    """Kill the parent process."""
    os.kill(os.getppid(), signal.SIGKILL)
    threading.Event().wait(60)
    return good_result()


@misbehaving("get_lost")
def get_lost(env: Environment) -> AgentResult:
    """Work in a directory that is gone, ignore signals, and exit from a thread."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    return good_result()


@misbehaving("recursion")
def recurse(env: Environment) -> AgentResult:
    """Call a function that calls itself until Python stops it."""
    return _again()


@misbehaving("long_error")
def raise_long_error(env: Environment, megabytes: int = 100) -> AgentResult:
    """Raise an exception whose text is very long, and not even encodable."""
    raise ValueError("\udcff\ud800" + "x" * (megabytes << 20))


@misbehaving("fork_bomb")
def start_fork_bomb(env: Environment) -> AgentResult:
    """Start programs in the sandbox that start programs, without an end."""
    env.execute("bomb() { bomb | bomb & }; bomb; sleep 5", timeout=3)
    env.cleanup()
    return good_result()


@misbehaving("command")
def run_command(env: Environment, command: str = "true") -> AgentResult:
    """Break the sandbox with a command, and try another one."""
    env.execute(command, timeout=20)
    env.execute("git status", timeout=20)
    return good_result()


def _again() -> AgentResult:
    return _again()


def _refuse(*arguments: object, **named: object) -> NoReturn:
    raise RuntimeError("this does not work any more")
