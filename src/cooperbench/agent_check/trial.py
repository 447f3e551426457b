"""One trial of an agent, in a process of its own that is ended at a deadline."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import Field

from cooperbench.agents.call import AgentArguments
from cooperbench.environments import SandboxHandle, attach
from cooperbench.errors import SandboxError
from cooperbench.records import Limits, Record, read_model, write_model

EXIT_SECONDS = 5.0
"""How long a process may stay after its agent has returned."""


class ProbeOrder(Record):
    """What to try."""

    agent: str
    arguments: AgentArguments
    config: dict[str, Any] | None
    backend: str
    limits: Limits
    folder: Path
    lose_sandbox: bool = False
    """End the first sandbox behind the agent's back."""


class ProbeReport(Record):
    """What came of it."""

    finished: bool = False
    """`run` came back, with a result or an exception."""
    stayed: bool = False
    """The process did not end although the agent had returned."""
    exit_code: int | None = None
    status: str | None = None
    error_kind: str | None = None
    error: str | None = None
    hint: str | None = None
    ours: bool = False
    """The error is one of ours that passed through, not the agent's own."""
    reported_error: str | None = None
    """What the agent itself returned as `error`."""
    environments: int = 0
    left_open: int = 0
    threads: tuple[str, ...] = ()
    children: int = 0
    calls: int = 0
    """Model calls that were charged to the budget."""
    limited: bool = False
    own_patch: bool = False
    captured: bool = False
    """There was a change in the sandbox, or in the patch that the agent returned."""
    messages: int = 0
    cost: float | None = None
    steps: int = 0
    seconds: float = Field(0.0, ge=0)
    output: str = ""
    """The end of what the process printed."""


def probe(order: ProbeOrder, deadline: float) -> ProbeReport:
    """Run the trial for at most `deadline` seconds, and clean up whatever it leaves."""
    order.folder.mkdir(parents=True, exist_ok=True)
    file, log = order.folder / "order.json", order.folder / "output.txt"
    write_model(file, order)
    begun = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "cooperbench.agents.check.worker", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            stayed = _wait(process, order.folder / "report.json", deadline)
        finally:
            _end(process)
            _remove_sandboxes(order.folder / "handles")
    report = _read(order.folder / "report.json")
    return report.model_copy(
        update={
            "stayed": stayed and report.finished,
            "exit_code": process.returncode,
            "seconds": time.monotonic() - begun,
            "output": log.read_bytes()[-2000:].decode("utf-8", "replace"),
        }
    )


def _wait(process: "subprocess.Popen[bytes]", report: Path, deadline: float) -> bool:
    """Wait for the process; true if it had to be ended."""
    end = time.monotonic() + deadline
    while (left := end - time.monotonic()) > 0:
        if report.exists():
            left = min(left, EXIT_SECONDS)
            end = time.monotonic() + left
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, EXIT_SECONDS if report.exists() else 0.2))
            return False
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _remove_sandboxes(handles: Path) -> None:
    for path in handles.glob("*.json"):
        with contextlib.suppress(SandboxError, OSError):
            attach(read_model(path, SandboxHandle)).cleanup()


def _read(path: Path) -> ProbeReport:
    try:
        return read_model(path, ProbeReport)
    except FileNotFoundError:
        return ProbeReport()
