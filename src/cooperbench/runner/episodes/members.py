"""One member of a running episode, seen from the runner: its process, its deadline, its end, its work."""

import threading
import time
from pathlib import Path
from typing import TypeVar

from cooperbench.errors import RecordError
from cooperbench.records import Ending, LimitReached, Record, TrajectoryMessage, read_model, utc_now
from cooperbench.records.event_details import MemberAskedToEnd, MemberEnded, MemberRescued, MemberStarted
from cooperbench.records.files import read_file
from cooperbench.records.member_files import AgentOutcome, Capture, MemberFolder, StartedSandbox, read_progress
from cooperbench.records.trajectory import read_journal
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.episodes.outcomes import StopReason, WorkerEnd, asked_to_end, settle_outcome
from cooperbench.runner.episodes.timeline import Timeline
from cooperbench.runner.workers.orphans import rescue
from cooperbench.runner.workers.output import keep_short
from cooperbench.runner.workers.pool import Worker
from cooperbench.runner.workers.specs import MemberSpec

_Model = TypeVar("_Model", bound=Record)

GRACE = 10.0
"""Seconds between asking a worker to end and killing it: time to capture its sandbox."""
SIGNALLED = 2.0
"""Seconds within which a signal to every process of a run, as schedulers send it, has reached the runner, too."""


class MemberRun:
    """Run one worker, and settle how its member's work ended."""

    def __init__(self, spec: MemberSpec, services: Services, timeline: Timeline, wake: threading.Event) -> None:
        self.spec = spec
        self.member = spec.member
        self.folder = MemberFolder(spec.folder)
        self._services = services
        self._timeline = timeline
        self._wake = wake
        self._worker: Worker | None = None
        self._began = 0.0
        self._kill_at: float | None = None
        self._stopped: StopReason | None = None
        self._peak_mb = 0.0
        self._at_limit: float | None = None
        self.started_at = utc_now()
        self.ended_at = self.started_at
        self.outcome = AgentOutcome(ending=Ending.INFRA_ERROR, status="NotStarted")
        """How the work ended; final once settled and collected."""
        self.settled = False

    @property
    def at_work(self) -> bool:
        """True once its sandbox is ready, or its process over."""
        return self.folder.sandbox.exists() or (self._worker is not None and self._worker.ended.is_set())

    @property
    def void(self) -> bool:
        """True when the episode cannot be judged any more because of this member."""
        return self.settled and self.outcome.ending is Ending.INFRA_ERROR

    @property
    def sandbox(self) -> StartedSandbox | None:
        """The facts about the member's sandbox; `None` when none was ready."""
        return _read(self.folder.sandbox, StartedSandbox)

    @property
    def captured(self) -> Capture | None:
        """The capture of the member's work; `None` when there is none."""
        return self.folder.read_capture()

    @property
    def returned_patch(self) -> bytes:
        """The patch that the agent returned; empty without one."""
        try:
            return read_file(self.folder.returned_patch)
        except (FileNotFoundError, RecordError):
            return b""

    @property
    def messages(self) -> tuple[TrajectoryMessage, ...]:
        """The member's history, as far as it was recorded: by the agent, else the messages of its model calls."""
        return read_journal(self.folder.messages) or read_journal(self.folder.calls)

    def start(self) -> None:
        """Start the member's process."""
        self.started_at = utc_now()
        self._began = time.monotonic()
        self._worker = self._services.pool.start(self.spec, self.folder.log, self._wake)
        self._timeline.add("member.started", MemberStarted(agent=self.member.agent), self.member.agent_id)

    def look(self) -> None:
        """Notice an end, and enforce limits that only the runner can."""
        assert self._worker is not None
        if self._worker.ended.is_set():
            self._settle(self._worker)
            return
        keep_short(self.folder.log)
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._worker.kill()
        elif now - self._began > self.member.limits.wall_time:
            self.stop(StopReason.WALL_TIME)
        elif self._overtime(now) > self._services.overtime:
            self.stop(StopReason.LIMIT)
        else:
            self._limit_memory(self._worker, now)

    def _overtime(self, now: float) -> float:
        """Return the seconds since the agent reached a limit: the budget refuses more calls, but does not end the agent."""
        if self._at_limit is None:
            progress = read_progress(self.folder.progress)
            if progress is None or progress.limit is None:
                return 0.0
            self._at_limit = now
        return now - self._at_limit

    def _limit_memory(self, worker: Worker, now: float) -> None:
        self._peak_mb = max(self._peak_mb, worker.memory_mb)
        if self._peak_mb > self._services.memory_mb:
            self._stopped = StopReason.MEMORY
            self._kill_at = now
            worker.kill()

    def stop(self, reason: StopReason) -> None:
        """Ask the worker to end, and see to it that it does."""
        if self._kill_at is None and self._worker is not None:
            self._stopped = reason
            self._kill_at = time.monotonic() + GRACE
            self._worker.ask_to_end()
            self._timeline.add("member.asked_to_end", MemberAskedToEnd(why=reason.value), self.member.agent_id)

    def end_now(self) -> None:
        """Kill the worker, if it still runs."""
        if self._worker is not None and not self.settled:
            self._worker.kill()

    def collect(self) -> None:
        """Take the work of a worker that could not hand it over."""
        if not any(self.folder.handles.glob("*.json")):
            return
        rescued = rescue(self.folder, self.spec.store)
        # What failed first stays the cause: a sandbox may be gone because of it.
        if rescued.failure is not None and self.captured is None and not self.void:
            self.outcome = self.outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": rescued.failure})
        self._timeline.add("member.rescued", MemberRescued(found=rescued.found), self.member.agent_id)

    def _settle(self, worker: Worker) -> None:
        worker.kill()  # what the agent left behind in its session
        self.ended_at = utc_now()
        seconds = round(time.monotonic() - self._began, 3)
        reported = _read(self.folder.outcome, AgentOutcome)
        if self._stopped is None and asked_to_end(worker, reported) and self._services.stop.wait(SIGNALLED):
            self._stopped = StopReason.INTERRUPTED
        end = WorkerEnd(
            worker=worker,
            reported=reported,
            progress=read_progress(self.folder.progress),
            stopped=self._stopped,
            wall_time=LimitReached(kind="wall_time", value=seconds, limit=self.member.limits.wall_time),
            ended_at=self.ended_at,
            peak_mb=self._peak_mb,
            memory_mb=self._services.memory_mb,
            log=self.folder.log,
        )
        self.outcome = settle_outcome(end)
        self.settled = True
        reason = self.outcome.error.message if self.outcome.error else ""
        ended = MemberEnded(ending=self.outcome.ending, reason=reason)
        self._timeline.add("member.ended", ended, self.member.agent_id, since=self.started_at)


def _read(path: Path, kind: type[_Model]) -> _Model | None:
    """Read what a worker wrote, unless it did not come to that."""
    try:
        return read_model(path, kind)
    except (FileNotFoundError, RecordError):
        return None
