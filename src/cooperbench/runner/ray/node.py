"""What Ray runs on a node: an actor that starts the node's claimant, passes on what it says, and ends it. Knows nothing of Ray.

The claimant is a process of its own because Ray changes `sys.path`, standard output and the signal handlers of its processes.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cooperbench import __version__
from cooperbench.runner.ray.messages import Refusal

SEES_WITHIN = 10.0
"""Seconds in which a node must see a new file; clients of NFS may remember for some that it was not there."""


class NodeActor:
    """The claimant of one node."""

    def __init__(self, sees_within: float = SEES_WITHIN) -> None:
        self._sees_within = sees_within
        self._claimant: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def check(self, version: str, folder: str, mark: str) -> Refusal | None:
        """Return why this node cannot take part. `folder` is the driver's current one, `mark` a new file in the run directory."""
        if version != __version__:
            hint = "install the same version on all nodes, and start Ray again with it"
            return Refusal(f"has CooperBench {__version__}, and this is {version}", hint)
        if not Path(folder).is_dir():
            hint = "run this in a folder on a disk that all nodes see"
            return Refusal(f"does not have the current folder {folder}", hint)
        deadline = time.monotonic() + self._sees_within
        while not Path(mark).exists():
            if time.monotonic() > deadline:
                hint = "name a folder on a disk that all nodes see with --log-dir"
                return Refusal(
                    f"does not see the run directory {Path(mark).parent}: the log directory is not shared", hint
                )
            time.sleep(0.2)
        return None

    def work(self, work: bytes, environment: dict[str, str], folder: str, log: str) -> Iterator[str]:
        """Start the claimant and yield what it says, until it has ended. Its errors go into the file `log`."""
        with (
            Path(log).open("ab") as errors,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "cooperbench.runner.ray.claimant"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env=environment,
            ) as self._claimant,
        ):
            assert self._claimant.stdin is not None
            assert self._claimant.stdout is not None
            with suppress(BrokenPipeError):
                self._claimant.stdin.write(work)
                self._claimant.stdin.flush()
            if self._stopped:
                self._claimant.stdin.close()
            for line in self._claimant.stdout:
                yield line.decode()
        with suppress(OSError):
            if not Path(log).stat().st_size:
                Path(log).unlink()

    def stop(self) -> None:
        """Have the claimant end in order. Does not wait."""
        self._stopped = True
        if self._claimant is not None and self._claimant.stdin is not None:
            with suppress(BrokenPipeError):
                self._claimant.stdin.close()
