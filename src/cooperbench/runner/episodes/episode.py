"""One episode, seen from the runner: a thread that prepares it, supervises its members' processes, and writes its record.

`result.json` is written last and in one step. Until then everything lies in `.work`, and an episode without a readable
`result.json` has not happened: it is repeated from the beginning.
"""

import shutil
import threading
import time
from collections.abc import Callable

from cooperbench.collaboration.board import read_board
from cooperbench.collaboration.conversation import read_conversation, read_events
from cooperbench.collaboration.presence import mark_finished, mark_working
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import worktree
from cooperbench.errors import CooperBenchError, RecordError
from cooperbench.records import ConversationMessage, EpisodeResult, Failure, Role, Setting, utc_now
from cooperbench.records.episode_state import EpisodeStart
from cooperbench.records.member_files import MemberFolder
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.episodes.seats import SeatRun
from cooperbench.runner.episodes.timeline import Happening, Timeline, of_board, of_broker, of_git, of_journal
from cooperbench.runner.episodes.writing import write_record
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.planning.prompts import member_config, member_prompt
from cooperbench.runner.workers.leftovers import discard
from cooperbench.runner.workers.orders import Order

TICK = 1.0
"""Seconds between looks at deadlines and memory; the end of a worker is noticed at once."""


STARTING = 0.5
"""Seconds after which members count as being at work though they have no sandbox yet: on a cloud that may take a minute."""
STARTING_TICK = 0.02


def run_episode(job: Job, services: Services, at_work: Callable[[], None] = lambda: None) -> EpisodeResult:
    """Run one episode to its end and write its record. Failures are part of the result; only bugs are raised.

    `at_work` is called once its members have begun, so that the next episode can be started. Raises `RecordError` when the disk refuses
    what has to be written down.
    """
    try:
        return _EpisodeRun(job, services).run(at_work)
    except OSError as error:
        place = error.filename or job.episode.directory.path
        raise RecordError(f"cannot write {place}: {error.strerror or error}", subject=str(place)) from error


def clear_episode(episode: Episode) -> None:
    """Remove what an earlier attempt left: sandboxes first, then files."""
    directory = episode.directory
    for folder in sorted(directory.members.glob("*")):
        discard(MemberFolder(folder))
    shutil.rmtree(directory.path, ignore_errors=True)


class _EpisodeRun:
    def __init__(self, job: Job, services: Services) -> None:
        self._job = job
        self._config = job.config
        self._episode = job.episode
        self._services = services
        self._wake = threading.Event()
        self._started_at = utc_now()
        self._seats: list[SeatRun] = []
        self._label = str(self._episode.group)
        self._mailbox: str | None = None
        self._told: list[Happening] = []

    def run(self, at_work: Callable[[], None]) -> EpisodeResult:
        clear_episode(self._episode)
        work = self._episode.directory.work
        work.mkdir(parents=True)
        self._timeline = Timeline(work / "events.jsonl")
        start = EpisodeStart(
            started_at=self._started_at,
            attempt=self._job.attempt,
            agents={member.agent_id: member.features for member in self._episode.members},
        )
        self._episode.directory.start.write_text(start.model_dump_json())
        self._timeline.add("episode.started", attempt=self._job.attempt)
        failure = self._job.blocked
        conversation: list[ConversationMessage] = []
        try:
            if failure is None:
                self._prepare()
                self._start()
                at_work()
                self._supervise()
                conversation = self._conversation()
        except CooperBenchError as error:
            failure = Failure.of(error)
            self._timeline.add("episode.failed", **failure.model_dump(exclude_none=True))
        finally:
            for seat in self._seats:
                seat.end_now()
                discard(seat.folder)
        result = write_record(self._job, self._seats, conversation, failure, self._started_at, self._finish_timeline)
        shutil.rmtree(work, ignore_errors=True)
        return result

    def _prepare(self) -> None:
        members = self._episode.members
        agents = [member.agent_id for member in members]
        together = self._config.setting is not Setting.SOLO
        mailbox: dict[str, str] = {}
        if self._services.broker is not None and together:
            mailbox = self._services.broker.open_episode(self._key, agents)
            self._mailbox = self._services.broker.episode_url(self._key)
            for agent in agents:
                mark_working(self._mailbox, agent)
        remote: dict[str, str] = {}
        if self._services.git is not None and together and self._config.git:
            remote = self._services.git.create_repository(self._key, agents)
        store = self._episode.directory.work / "store.git"
        # Before the members' processes, which would all do it at the same time.
        worktree.git(None, "init", "--quiet", "--bare", str(store))
        for member in members:
            access = TeamAccess(
                agent_id=member.agent_id,
                agents=tuple(agents),
                comm_url=mailbox.get(member.agent_id) if self._config.messaging else None,
                git_server_url=remote.get(member.agent_id),
                board_url=mailbox.get(member.agent_id) if self._config.task_board else None,
                role=member.role,
                lead=next((other.agent_id for other in members if other.role is Role.LEAD), None),
            )
            folder = MemberFolder(self._episode.directory.members / member.agent_id)
            logs = folder.path / "logs"
            logs.mkdir(parents=True)
            order = Order(
                run=self._config.run,
                episode=self._label,
                member=member,
                access=access,
                task=member_prompt(self._episode, self._config, access),
                image=self._episode.task.image,
                backend=self._config.backend,
                environment=self._environment(member.limits.wall_time, member.limits.command_time),
                config=member_config(self._episode, member),
                store=store,
                folder=folder.path,
                log_dir=logs,
                ledger=self._services.ledger,
                max_cost=self._config.max_cost,
            )
            self._seats.append(SeatRun(order, self._services, self._timeline, self._wake))

    @property
    def _key(self) -> str:
        group = self._episode.group
        features = "-".join(str(feature) for feature in group.features)
        return f"{self._config.run}/{self._config.setting}/{group.repo}/{group.task_id}/{features}.{self._job.attempt}"

    def _environment(self, wall_time: float, command_time: float) -> dict[str, object]:
        # Infrastructure outlives the agent's budget: the harness still has to capture the work.
        defaults: dict[str, object] = {"lifetime": wall_time + 900, "command_timeout": command_time}
        return defaults | self._config.environment

    def _start(self) -> None:
        for seat in self._seats:
            seat.start()
        patience = time.monotonic() + STARTING
        while time.monotonic() < patience and not all(seat.at_work for seat in self._seats):
            time.sleep(STARTING_TICK)

    def _supervise(self) -> None:
        while running := [seat for seat in self._seats if not seat.settled]:
            self._wake.wait(TICK)
            self._wake.clear()
            for seat in running:
                seat.look()
                if seat.settled:
                    self._announce(seat)
            if self._services.stop.is_set():
                self._end_others("interrupted")
            elif any(seat.void for seat in self._seats):
                self._end_others("void")

    def _announce(self, seat: SeatRun) -> None:
        agent = seat.order.member.agent_id
        git = self._services.git if seat.order.access.git_server_url is not None else None
        if self._mailbox is not None and self._services.broker is not None:
            self._services.broker.check_episode(self._key)
            branch = git.published(self._key, agent) if git is not None else None
            mark_finished(self._mailbox, agent, seat.ending, branch)
        seat.collect()

    def _end_others(self, why: str) -> None:
        for seat in self._seats:
            if not seat.settled:
                seat.interrupt(why)

    def _conversation(self) -> list[ConversationMessage]:
        if self._mailbox is None or self._services.broker is None:
            return []
        self._services.broker.check_episode(self._key)
        features = {member.agent_id: member.features[0] for member in self._episode.members}
        messages = read_conversation(self._mailbox, features)
        self._told = [*of_broker(read_events(self._mailbox, list(features)))]
        if self._config.task_board:
            self._told += of_board(read_board(self._mailbox))
        self._services.broker.close_episode(self._key)
        return messages

    def _finish_timeline(self) -> bytes:
        others = self._told
        if self._services.git is not None and self._config.git:
            others += of_git(self._services.git.events(self._key))
        for seat in self._seats:
            others += of_journal(seat.order.member.agent_id, seat.messages)
        self._timeline.add("episode.ended")
        return self._timeline.merged(others)
