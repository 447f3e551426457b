"""One episode, seen from the runner: a thread that prepares it, supervises its members' processes, and writes its record.

`result.json` is written last and in one step. Until then everything is in `.work`, and an episode without a readable
`result.json` has not happened: it is run again from the beginning.
"""

import shutil
import threading
import time
from collections.abc import Callable

from cooperbench.environments import worktree
from cooperbench.errors import CooperBenchError, RecordError
from cooperbench.records import ConversationMessage, EpisodeResult, Failure, utc_now
from cooperbench.records.episode_state import EpisodeStart
from cooperbench.records.event_details import EpisodeEnded, EpisodeStarted
from cooperbench.records.files import is_linked
from cooperbench.records.layout import DEPTH, EpisodeDirectory
from cooperbench.records.member_files import MemberFolder
from cooperbench.runner.episodes.channels import EpisodeChannels
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.episodes.member_events import of_member
from cooperbench.runner.episodes.member_specs import make_spec
from cooperbench.runner.episodes.members import MemberRun
from cooperbench.runner.episodes.outcomes import StopReason
from cooperbench.runner.episodes.timeline import Timeline, of_waits
from cooperbench.runner.episodes.writing import EndedEpisode, write_record
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.orphans import discard

TICK = 1.0
"""Seconds between looks at deadlines and memory; the end of a worker is noticed at once."""
STARTING = 0.5
"""Seconds after which members count as being at work though they have no sandbox yet: in a cloud that may take a minute."""
STARTING_TICK = 0.02


def run_episode(job: Job, services: Services, at_work: Callable[[], None] = lambda: None) -> EpisodeResult:
    """Run one episode to its end and write its record. Failures are part of the result; only bugs are raised.

    `at_work` is called once its members have begun, so that the next episode can be started. Raises `RecordError` when the
    disk refuses the record.
    """
    try:
        return _EpisodeRun(job, services).run(at_work)
    except OSError as error:
        place = error.filename or job.episode.directory.path
        raise RecordError(f"cannot write {place}: {error.strerror or error}", subject=str(place)) from error


def clear_episode(episode: Episode) -> None:
    """Remove what an earlier attempt left: sandboxes first, then files."""
    directory = episode.directory
    if is_linked(directory.path, DEPTH):
        raise RecordError(f"{directory.path} is a link, which may lead out of the run", subject=str(directory.path))
    discard_members(directory)
    shutil.rmtree(directory.path, ignore_errors=True)


def discard_members(directory: EpisodeDirectory) -> None:
    """End the sandboxes that an earlier attempt left."""
    for folder in sorted(directory.members.glob("*")):
        discard(MemberFolder(folder))


class _EpisodeRun:
    def __init__(self, job: Job, services: Services) -> None:
        self._job = job
        self._episode = job.episode
        self._services = services
        self._channels = EpisodeChannels(job, services)
        self._wake = threading.Event()
        self._started_at = utc_now()
        self._runs: list[MemberRun] = []

    def run(self, at_work: Callable[[], None]) -> EpisodeResult:
        self._begin()
        failure = self._job.blocked
        conversation: list[ConversationMessage] = []
        try:
            if failure is None:
                self._prepare()
                self._start()
                at_work()
                self._supervise()
                conversation = self._channels.close()
        except CooperBenchError as error:
            failure = Failure.of(error)
            self._timeline.add("episode.failed", failure)
        finally:
            for run in self._runs:
                run.end_now()
                discard(run.folder)
        ended = EndedEpisode(self._job, self._runs, conversation, self._events(), failure, self._started_at)
        result = write_record(ended)
        shutil.rmtree(self._episode.directory.work, ignore_errors=True)
        return result

    def _begin(self) -> None:
        clear_episode(self._episode)
        directory = self._episode.directory
        directory.work.mkdir(parents=True)
        self._timeline = Timeline(directory.live_events)
        start = EpisodeStart(
            started_at=self._started_at,
            attempt=self._job.attempt,
            agents={member.agent_id: member.features for member in self._episode.members},
        )
        directory.start.write_text(start.model_dump_json())
        self._timeline.add("episode.started", EpisodeStarted(attempt=self._job.attempt))

    def _prepare(self) -> None:
        self._channels.open()
        # Before the members' processes, which would all do it at the same time.
        worktree.git(None, "init", "--quiet", "--bare", str(self._episode.directory.work / "store.git"))
        for member in self._episode.members:
            spec = make_spec(self._job, self._services, member, self._channels.access(member))
            spec.log_dir.mkdir(parents=True)
            self._runs.append(MemberRun(spec, self._services, self._timeline, self._wake))

    def _start(self) -> None:
        for run in self._runs:
            run.start()
        patience = time.monotonic() + STARTING
        while time.monotonic() < patience and not all(run.at_work for run in self._runs):
            time.sleep(STARTING_TICK)

    def _supervise(self) -> None:
        while running := [run for run in self._runs if not run.settled]:
            self._wake.wait(TICK)
            self._wake.clear()
            for run in running:
                run.look()
                if run.settled:
                    self._channels.announce(run.member.agent_id, run.outcome.ending)
                    run.collect()
            if self._services.stop.is_set():
                self._stop_all(StopReason.INTERRUPTED)
            elif any(run.void for run in self._runs):
                self._stop_all(StopReason.VOID)

    def _stop_all(self, reason: StopReason) -> None:
        for run in self._runs:
            if not run.settled:
                run.stop(reason)

    def _events(self) -> bytes:
        others = self._channels.events()
        for run in self._runs:
            others += of_member(run)
            others += of_waits(run.member.agent_id, run.folder.read_waits())
        self._timeline.add("episode.ended", EpisodeEnded())
        return self._timeline.merged(others)
