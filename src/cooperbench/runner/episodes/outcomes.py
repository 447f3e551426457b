"""Decide how a member's work ended, from what is known after its process is gone."""

import os
import signal
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from cooperbench.records import Ending, Failure, LimitReached, MemberResult
from cooperbench.records.host_paths import without_host_paths
from cooperbench.records.member_files import AgentOutcome, Progress
from cooperbench.runner.workers.fork_server import WORKER_FAULT
from cooperbench.runner.workers.output import last_line
from cooperbench.runner.workers.pool import Worker

LONGEST_ANSWER = 300.0
"""Seconds. A model that thinks longer about one step is out of order."""


class StopReason(StrEnum):
    """Why the runner ended a worker."""

    WALL_TIME = "wall_time"
    LIMIT = "limit"
    MEMORY = "memory"
    INTERRUPTED = "interrupted"
    VOID = "void"
    """Another member's failure has made the episode worthless."""


class WorkerEnd(NamedTuple):
    """The facts about a worker whose process is gone."""

    worker: Worker
    reported: AgentOutcome | None
    """The worker's own word; `None` when it did not come to that."""
    progress: Progress | None
    stopped: StopReason | None
    wall_time: LimitReached
    """The seconds that the member took, and may take."""
    ended_at: datetime
    peak_mb: float
    memory_mb: float
    """What one agent may take of the host's memory."""
    log: Path


def asked_to_end(worker: Worker, reported: AgentOutcome | None) -> bool:
    """Return whether a worker that is gone may have been ended by a SIGTERM, by its own word or by the way it ended."""
    if reported is not None:
        return reported.ending is Ending.INTERRUPTED
    return worker.status is not None and os.waitstatus_to_exitcode(worker.status) in (-signal.SIGTERM, WORKER_FAULT)


def settle_outcome(end: WorkerEnd) -> AgentOutcome:
    """Decide how the work ended: as the worker says, unless the runner stopped it or it left no word."""
    if end.reported is not None and end.reported.ending is not Ending.INTERRUPTED:
        return end.reported
    outcome = end.reported or _last_seen(end.progress)
    match end.stopped:
        case StopReason.LIMIT:
            return outcome.model_copy(update={"ending": Ending.LIMIT, "error": None})
        case StopReason.WALL_TIME:
            return _out_of_time(outcome, end)
        case StopReason.INTERRUPTED | StopReason.VOID:
            return outcome.model_copy(update={"ending": Ending.INTERRUPTED, "error": None})
        case StopReason.MEMORY:
            text = f"the agent's process took more than {end.memory_mb:.0f} MB of the host's memory"
            return _crash(outcome, "MemoryLimit", text)
        case None:
            return _ended_unasked(outcome, end)


def _last_seen(progress: Progress | None) -> AgentOutcome:
    if progress is None:
        return AgentOutcome(ending=Ending.CRASH, status="Killed")
    return AgentOutcome(
        ending=Ending.CRASH, status="Killed", steps=progress.steps, usage=progress.usage, limit=progress.limit
    )


def _out_of_time(outcome: AgentOutcome, end: WorkerEnd) -> AgentOutcome:
    """End by the wall time, unless the model's silence is to blame for it."""
    if silence := _silence(end):
        text = f"the model had not answered for {silence:.0f} s when the member's time was over"
        return _void(outcome, "ModelOverloadedError", text, boundary="model")
    return outcome.model_copy(update={"ending": Ending.TIMEOUT, "limit": end.wall_time, "error": None})


def _silence(end: WorkerEnd) -> float:
    """Return the seconds for which nothing of an answer came, if so long that they say nothing about the agent; else 0."""
    if end.progress is None or end.progress.asked_at is None:
        return 0.0
    heard_at = end.progress.heard_at
    silence = (end.ended_at - (heard_at or end.progress.asked_at)).total_seconds()
    never = heard_at is None and end.progress.steps == 0
    return silence if never or silence > LONGEST_ANSWER else 0.0


def _ended_unasked(outcome: AgentOutcome, end: WorkerEnd) -> AgentOutcome:
    code = None if end.worker.status is None else os.waitstatus_to_exitcode(end.worker.status)
    if code in (None, WORKER_FAULT):
        return _void(outcome, "WorkerFailed", last_line(end.log) or "the worker was lost without a word")
    if code != -signal.SIGKILL:
        return _crash(outcome, "ProcessEnded", f"the agent's process {end.worker.exit_text} without a result")
    # Nobody asks for a kill -9 of itself: it was somebody on this host, or its kernel in want of memory.
    if end.peak_mb > end.memory_mb / 2:
        text = f"the agent's process was killed when it had taken {end.peak_mb:.0f} MB of the host's memory"
        return _crash(outcome, "MemoryLimit", text)
    text = "the agent's process was killed by another process on this host, or by the kernel for want of memory"
    return _void(outcome, "WorkerKilled", text)


def _crash(outcome: AgentOutcome, kind: str, message: str) -> AgentOutcome:
    failure = Failure(boundary="agent", kind=kind, message=message)
    return outcome.model_copy(update={"ending": Ending.CRASH, "error": failure})


def _void(outcome: AgentOutcome, kind: str, message: str, *, boundary: str = "cooperbench") -> AgentOutcome:
    failure = Failure(boundary=boundary, kind=kind, message=without_host_paths(message), retryable=True)
    return outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": failure})


def first_cause(members: Iterable[MemberResult]) -> Failure | None:
    """Return the failure of the member whose work ended first: the others were stopped for it, and their sandboxes may be gone."""
    failed = [member for member in members if member.ending is Ending.INFRA_ERROR and member.error is not None]
    return min(failed, key=lambda member: member.ended_at).error if failed else None
