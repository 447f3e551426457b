"""One member of a running episode, seen from the runner: its process, its deadline, its end, its work."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import TypeVar

from cooperbench.errors import RecordError
from cooperbench.records import Ending, Failure, LimitReached, Record, TrajectoryMessage, read_model, utc_now
from cooperbench.records.member_files import AgentOutcome, Capture, MemberFolder, StartedSandbox
from cooperbench.records.progress import read_progress
from cooperbench.records.trajectory import read_journal
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.episodes.timeline import Timeline
from cooperbench.runner.workers.fork_server import OUR_FAULT
from cooperbench.runner.workers.leftovers import rescue
from cooperbench.runner.workers.orders import Order
from cooperbench.runner.workers.output import keep_short, read_end
from cooperbench.runner.workers.pool import Worker

_Model = TypeVar("_Model", bound=Record)

LONGEST_ANSWER = 300.0
"""Seconds. A model that thinks longer about one step is out of order."""
GRACE = 10.0
"""Seconds between asking a worker to end and killing it: time to capture its sandbox."""


class SeatRun:
    """Runs one worker and settles how its member's work ended."""

    def __init__(self, order: Order, services: Services, timeline: Timeline, wake: threading.Event) -> None:
        self.order = order
        self.folder = MemberFolder(order.folder)
        self._services = services
        self._timeline = timeline
        self._wake = wake
        self._worker: Worker | None = None
        self._began = 0.0
        self._kill_at: float | None = None
        self._why: str | None = None
        self._memory_mb = 0.0
        """The most that its process was seen to have."""
        self._at_limit: float | None = None
        self.started_at = utc_now()
        self.ended_at = self.started_at
        self.outcome = AgentOutcome(ending=Ending.INFRA_ERROR, status="NotStarted")
        self.settled = False

    @property
    def ending(self) -> Ending:
        """How the work ended; final once settled and collected."""
        return self.outcome.ending

    @property
    def at_work(self) -> bool:
        """Whether its sandbox is ready, or its process over."""
        return self.folder.sandbox.exists() or (self._worker is not None and self._worker.ended.is_set())

    @property
    def void(self) -> bool:
        """Whether the episode cannot be judged any more because of this member."""
        return self.settled and self.ending is Ending.INFRA_ERROR

    @property
    def sandbox(self) -> StartedSandbox | None:
        """What is known of the member's sandbox."""
        return _read(self.folder.sandbox, StartedSandbox)

    @property
    def captured(self) -> Capture | None:
        """What the harness captured."""
        return self.folder.read_capture()

    @property
    def messages(self) -> tuple[TrajectoryMessage, ...]:
        """The member's history, as far as it was written down: by the agent, else what went to its model."""
        return read_journal(self.folder.messages) or read_journal(self.folder.calls)

    def start(self) -> None:
        """Start the member's process."""
        self.started_at = utc_now()
        self._began = time.monotonic()
        self._worker = self._services.pool.start(self.order, self.folder.log, self._wake)
        self._timeline.add("member.started", self.order.member.agent_id, agent=self.order.member.agent)

    def look(self) -> None:
        """Notice an end, and enforce limits that only the harness can."""
        assert self._worker is not None
        if self._worker.ended.is_set():
            self._settle(self._worker)
            return
        keep_short(self.folder.log)
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._worker.kill()
        elif now - self._began > self.order.member.limits.wall_time:
            self.interrupt("wall_time")
        elif self._overtime(now) > self._services.overtime:
            self.interrupt("limit")
        else:
            self._memory_mb = max(self._memory_mb, _memory_mb(self._worker.process))
            if self._memory_mb > self._services.memory_mb:
                self._why = "memory"
                self._kill_at = now
                self._worker.kill()

    def _overtime(self, now: float) -> float:
        """Seconds since the agent reached a limit; the budget lets it make no more calls, but does not end it."""
        if self._at_limit is None:
            progress = read_progress(self.folder.progress)
            if progress is None or progress.limit is None:
                return 0.0
            self._at_limit = now
        return now - self._at_limit

    def interrupt(self, why: str) -> None:
        """Ask the worker to end, and see to it that it does."""
        if self._kill_at is None and self._worker is not None:
            self._why = why
            self._kill_at = time.monotonic() + GRACE
            self._worker.ask_to_end()
            self._timeline.add("member.asked_to_end", self.order.member.agent_id, why=why)

    def end_now(self) -> None:
        """Kill the worker, if it still runs."""
        if self._worker is not None and not self.settled:
            self._worker.kill()

    def collect(self) -> None:
        """Take the work of a worker that could not hand it over."""
        if not any(self.folder.handles.glob("*.json")):
            return
        rescued = rescue(self.folder, self.order.store)
        if rescued.failure is not None and self.captured is None:
            self.outcome = self.outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": rescued.failure})
        self._timeline.add("member.rescued", self.order.member.agent_id, found=rescued.found)

    def _settle(self, worker: Worker) -> None:
        worker.kill()  # what the agent left behind in its session
        self.ended_at = utc_now()
        self.outcome = self._judge(_read(self.folder.outcome, AgentOutcome), worker)
        self.settled = True
        reason = self.outcome.error.message if self.outcome.error else ""
        self._timeline.add("member.ended", self.order.member.agent_id, ending=self.ending.value, reason=reason)

    def _models_silence(self) -> float:
        """Seconds for which an answer was awaited, if so long that it says nothing about the agent; else 0."""
        progress = read_progress(self.folder.progress)
        if progress is None or progress.asked_at is None:
            return 0.0
        silence = (self.ended_at - progress.asked_at).total_seconds()
        return silence if progress.steps == 0 or silence > LONGEST_ANSWER else 0.0

    def _last_seen(self) -> AgentOutcome:
        """What is known of a worker that came to no word of its own."""
        progress = read_progress(self.folder.progress)
        if progress is None:
            return AgentOutcome(ending=Ending.CRASH, status="Killed")
        return AgentOutcome(
            ending=Ending.CRASH, status="Killed", steps=progress.steps, usage=progress.usage, limit=progress.limit
        )

    def _judge(self, told: AgentOutcome | None, worker: Worker) -> AgentOutcome:
        """How it ended: the worker's word, unless the harness ended it or it came to no word."""
        if told is not None and told.ending is not Ending.INTERRUPTED:
            return told
        outcome = told or self._last_seen()
        if self._why == "limit":
            return outcome.model_copy(update={"ending": Ending.LIMIT, "error": None})
        limits = self.order.member.limits
        if self._why == "wall_time" and (silence := self._models_silence()):
            text = f"the model had not answered for {silence:.0f} s when the member's time was over"
            failure = Failure(boundary="model", kind="ModelOverloadedError", message=text, retryable=True)
            return outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": failure})
        if self._why == "wall_time":
            value = time.monotonic() - self._began
            limit = LimitReached(kind="wall_time", value=round(value, 3), limit=limits.wall_time)
            return outcome.model_copy(update={"ending": Ending.TIMEOUT, "limit": limit, "error": None})
        if self._why in ("interrupted", "void"):
            return outcome.model_copy(update={"ending": Ending.INTERRUPTED, "error": None})
        if self._why == "memory":
            text = f"the agent's process took more than {self._services.memory_mb} MB of the host's memory"
            return _crash(outcome, "MemoryLimit", text)
        if worker.status is None or os.waitstatus_to_exitcode(worker.status) == OUR_FAULT:
            failure = Failure(
                boundary="cooperbench", kind="WorkerFailed", message=_log_end(self.folder.log), retryable=True
            )
            return outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": failure})
        if os.waitstatus_to_exitcode(worker.status) == -signal.SIGKILL:
            return self._killed_by_others(outcome)
        return _crash(outcome, "ProcessEnded", f"the agent's process {worker.exit_text} without a result")

    def _killed_by_others(self, outcome: AgentOutcome) -> AgentOutcome:
        """Nobody asks for a kill -9 of itself: it was somebody on this host, or its kernel in want of memory."""
        if self._memory_mb > self._services.memory_mb / 2:
            text = f"the agent's process was killed when it had taken {self._memory_mb:.0f} MB of the host's memory"
            return _crash(outcome, "MemoryLimit", text)
        failure = Failure(
            boundary="cooperbench",
            kind="WorkerKilled",
            message="the agent's process was killed by somebody else on this host, or by its kernel in want of memory",
            retryable=True,
        )
        return outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": failure})


def _read(path: Path, kind: type[_Model]) -> _Model | None:
    """What a worker wrote, unless it did not come to that."""
    try:
        return read_model(path, kind)
    except (FileNotFoundError, RecordError):
        return None


def _crash(outcome: AgentOutcome, kind: str, message: str) -> AgentOutcome:
    failure = Failure(boundary="agent", kind=kind, message=message)
    return outcome.model_copy(update={"ending": Ending.CRASH, "error": failure})


def _log_end(log: Path) -> str:
    lines = read_end(log).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "the worker was lost without a word"


def _memory_mb(process: int | None) -> float:
    """Memory that the process has in use; 0 where the system does not tell it through /proc."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
