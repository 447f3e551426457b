"""Agents that damage what the harness works with in their own process."""

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
from cooperbench.agents.testing.work import begin, good_result


@register("testing/print")
class Prints:
    """Prints very much."""

    def __init__(self, megabytes: int = 1024) -> None:
        self.megabytes = megabytes

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Print and submit."""
        begin(image, config).cleanup()
        line = "x" * (1 << 20)
        for _ in range(self.megabytes):
            print(line)
        return good_result()


@register("testing/close_files")
class ClosesFiles:
    """Closes files that it did not open."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Close them and submit."""
        begin(image, config)
        os.closerange(0, 21)
        return good_result()


@register("testing/remove_folder")
class RemovesFolder:
    """Removes the folder in which the harness works."""

    def run(
        self, task: str, image: str, *, config: dict[str, Any] | None = None, log_dir: str | None = None
    ) -> AgentResult:
        """Remove it and submit."""
        begin(image, config)
        if log_dir is not None:
            shutil.rmtree(Path(log_dir).parent)
        return good_result()


@register("testing/break_python")
class BreaksPython:
    """Replaces what everybody relies on."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Replace it and submit."""
        begin(image, config)
        vandalise: Any = _refuse
        builtins.open = vandalise
        json.dumps = json.loads = vandalise
        os.replace = os.fsync = vandalise
        return good_result()


@register("testing/kill_parent")
class KillsParent:
    """Kills the process that started its own."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Kill it and submit."""
        begin(image, config)
        os.kill(os.getppid(), signal.SIGKILL)
        threading.Event().wait(60)
        return good_result()


@register("testing/get_lost")
class GetsLost:
    """Works in a folder that is gone, handles signals in its own way, and leaves by a thread."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Get lost and submit."""
        begin(image, config)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()
        return good_result()


@register("testing/recursion")
class Recurses:
    """Calls itself until Python stops it."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Begin."""
        begin(image, config)
        return self._again()

    def _again(self) -> AgentResult:
        return self._again()


@register("testing/long_error")
class RaisesLongError:
    """Raises an exception whose text is very long, and not even text."""

    def __init__(self, megabytes: int = 100) -> None:
        self.megabytes = megabytes

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Raise it."""
        begin(image, config)
        raise ValueError("\udcff\ud800" + "x" * (self.megabytes << 20))


@register("testing/fork_bomb")
class ForksInSandbox:
    """Has its sandbox start programs that start programs, without an end."""

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Start them and submit."""
        env = begin(image, config)
        env.execute("bomb() { bomb | bomb & }; bomb; sleep 5", timeout=3)
        env.cleanup()
        return good_result()


def _refuse(*arguments: object, **named: object) -> NoReturn:
    raise RuntimeError("this does not work any more")
