"""Read one episode of a run as the parts of its page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from cooperbench.analysis.explanation import Explanation, explain_episode
from cooperbench.analysis.explanation.explain import first_writes
from cooperbench.errors import RecordError
from cooperbench.records import ConversationMessage, EpisodeResult, Event, TrajectoryMessage
from cooperbench.records.base import utc_now
from cooperbench.records.episode_state import EpisodeState, EpisodeView, read_start
from cooperbench.records.labels import Label, read_labels
from cooperbench.records.layout import RunDirectory
from cooperbench.records.member_files import MemberFolder
from cooperbench.records.readers import read_conversation, read_events, read_patch, read_trajectory
from cooperbench.records.run_lock import is_locked
from cooperbench.records.run_result import RunResult
from cooperbench.records.trajectory import read_journal
from cooperbench.viewer.changes import shown_files
from cooperbench.viewer.clock import EpisodeClock
from cooperbench.viewer.details import DetailChunk, EpisodeParts
from cooperbench.viewer.lanes import MemberFacts, member_lane
from cooperbench.viewer.merges import shown_stages, shown_suites
from cooperbench.viewer.models import CHUNK, EpisodePage, Lane, Suspect
from cooperbench.viewer.reason import shown_verdict
from cooperbench.viewer.steps import MemberSteps, member_steps
from cooperbench.viewer.talk import shown_board, shown_git, shown_messages
from cooperbench.viewer.talk_at_work import conversation_so_far

Read = TypeVar("Read")


def read_episode(run: RunResult, episode: EpisodeView) -> EpisodeParts:
    """Read an episode, also one at work, under the policy that the run is seen under. Parts that cannot be read are named."""
    return _Reader(run, episode).read()


class _Reader:
    """Reads the files of one episode, and notes those that cannot be read."""

    def __init__(self, run: RunResult, episode: EpisodeView) -> None:
        self.run = run
        self.episode = episode
        self.unclear: list[str] = []
        self.start = read_start(episode.files) if episode.result is None else None
        self.live = self.start is not None and is_locked(RunDirectory(run.directory))
        self.events = self._all("the events", lambda: read_events(episode.files))
        self.clock = EpisodeClock(self._zero())
        self.histories: dict[str, Sequence[TrajectoryMessage]] = {}

    def _try(self, what: str, read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except FileNotFoundError:
            if self.episode.state is EpisodeState.FINISHED:
                self.unclear.append(f"{what}: the file is missing")
        except RecordError as error:
            self.unclear.append(f"{what}: {error.message}")
        return None

    def _all(self, what: str, read: Callable[[], tuple[Read, ...]]) -> tuple[Read, ...]:
        return self._try(what, read) or ()

    def _zero(self) -> datetime:
        if self.episode.result is not None:
            return self.episode.result.started_at
        if self.start is not None:
            return self.start.started_at
        return self.events[0].time if self.events else utc_now()

    def read(self) -> EpisodeParts:
        """Return the page and its chunks."""
        members = self._members()
        self.histories = {agent_id: self._history(agent_id) for agent_id in members}
        done: dict[str, MemberSteps] = {}
        lanes: list[Lane] = []
        for agent_id, facts in members.items():
            own = [event for event in self.events if event.agent_id == agent_id]
            ready = self._ready(own, facts.begin)
            done[agent_id] = member_steps(self.clock, ready, self.histories[agent_id], own)
            lanes.append(member_lane(facts, ready, done[agent_id], own, self.clock, self._now()))
        chunks = [chunk for agent_id, steps in done.items() for chunk in _chunks(agent_id, steps)]
        return EpisodeParts(self._page(lanes, self._conversation(done)), tuple(chunks))

    def _conversation(self, done: Mapping[str, MemberSteps]) -> tuple[ConversationMessage, ...]:
        if self.episode.result is None:
            return conversation_so_far(self.clock, self.events, done)
        return self._all("the conversation", lambda: read_conversation(self.episode.files))

    def _members(self) -> Mapping[str, MemberFacts]:
        result = self.episode.result
        if result is not None:
            return {a: MemberFacts.of_result(self.clock, each, result.titles) for a, each in result.agents.items()}
        team = {member.agent_id: member for member in self.run.config.team}
        started = self.start.agents if self.start is not None else {}
        return {a: MemberFacts.at_work(a, features, team.get(a)) for a, features in started.items()}

    def _history(self, agent_id: str) -> Sequence[TrajectoryMessage]:
        result = self.episode.result
        if result is None:
            return read_journal(MemberFolder(self.episode.files.members / agent_id).messages)
        what = f"the trajectory of {agent_id}"
        trajectory = self._try(what, lambda: read_trajectory(self.episode.files, result, agent_id))
        return trajectory.messages if trajectory is not None else ()

    def _ready(self, own: Sequence[Event], begin: float) -> float:
        return next((self.clock.at(event.time) for event in own if event.kind == "member.ready"), begin)

    def _now(self) -> float:
        """Return the last moment that the record knows of."""
        if self.episode.result is not None:
            return self.clock.at(self.episode.result.ended_at)
        # The events of a member's steps are written when it ends; until then its history knows better.
        last = [history[-1].time for history in self.histories.values() if history]
        times = [*(event.time for event in self.events), *(time for time in last if time is not None)]
        return max(map(self.clock.at, times), default=0.0)

    def _page(self, lanes: Sequence[Lane], conversation: Sequence[ConversationMessage]) -> EpisodePage:
        episode, result, evaluation, clock = self.episode, self.episode.result, self.episode.evaluation, self.clock
        steps = {lane.agent_id: lane.steps for lane in lanes}
        messages = shown_messages(clock, conversation, self.events, steps)
        git = shown_git(clock, self.events, steps)
        work_end = self._now()
        begin = self._tests_begin(work_end)
        stages = shown_stages(clock, evaluation, episode.verdict, begin) if evaluation else ()
        suites = shown_suites(clock, evaluation, begin) if evaluation else ()
        ends = [work_end, begin, *(stage.span.end for stage in stages), *(suite.span.end for suite in suites)]
        explanation = self._try("the explanation", lambda: explain_episode(self.run, episode))
        return EpisodePage(
            **self._names(),
            work_end=work_end,
            tests_begin=begin,
            end=max(ends),
            evaluation_seconds=evaluation.seconds if evaluation else None,
            verdict=shown_verdict(
                episode, explanation or self._unexplained(), lanes, messages, git, stages, suites, live=self.live
            ),
            lanes=tuple(lanes),
            messages=messages,
            git=git,
            has_remote=self.run.config.git,
            board=shown_board(clock, self.events),
            stages=stages,
            suites=suites,
            files=shown_files(self._patches(result), self._dropped(), messages, self._written()),
            suspects=_suspects(explanation),
            labels=self._labels(),
            unclear=tuple(dict.fromkeys(self.unclear)),
        )

    def _names(self) -> dict[str, object]:
        episode, result = self.episode, self.episode.result
        return {
            "run": self.run.config.run,
            "episode": str(episode.group),
            "setting": self.run.config.setting.value,
            "repo": episode.group.repo,
            "task_id": episode.group.task_id,
            "features": episode.group.features,
            "titles": result.titles if result else {},
            "repeat": episode.group.repeat,
            "policy": episode.verdict.policy if episode.verdict else self.run.policy,
            "state": episode.state.value,
            "live": self.live,
            "started_at": self._zero() if result or self.start or self.events else None,
            "total_cost": result.total_cost if result else None,
            "total_steps": result.total_steps if result else 0,
        }

    def _tests_begin(self, work_end: float) -> float:
        """Return when the evaluation began; of earlier ones only the end and the length are known."""
        evaluation = self.episode.evaluation
        if evaluation is None:
            return work_end
        known = [stage.started_at for stage in evaluation.stages if stage.started_at is not None]
        began = min(map(self.clock.at, known), default=self.clock.at(evaluation.evaluated_at) - evaluation.seconds)
        return max(work_end, round(began, 4))

    def _unexplained(self) -> Explanation:
        group, outcome = str(self.episode.group), self.episode.state.value
        return Explanation(
            run=self.run.config.run,
            episode=group,
            policy=self.run.policy,
            outcome=outcome,
            cause=None,
            also=(),
            sentence="the record cannot be read well enough to say why",
        )

    def _patches(self, result: EpisodeResult | None) -> dict[str, bytes]:
        found = {}
        for agent_id, member in result.agents.items() if result else ():
            submission = member.submission
            if submission is not None and submission.file:
                read = partial(read_patch, self.episode.files, submission)
                found[agent_id] = self._try(f"the patch of {agent_id}", read) or b""
        return found

    def _dropped(self) -> dict[tuple[str, str], str]:
        evaluation = self.episode.evaluation
        return {(each.agent_id, each.path): each.reason for each in evaluation.dropped} if evaluation else {}

    def _written(self) -> dict[tuple[str, str], float]:
        return {key: self.clock.at(time) for key, time in first_writes(self.events).items()}

    def _labels(self) -> tuple[Label, ...]:
        labels = self._all("the labels", lambda: read_labels(RunDirectory(self.run.directory)))
        return tuple(label for label in labels if label.episode == str(self.episode.group))


def _chunks(agent_id: str, steps: MemberSteps) -> list[DetailChunk]:
    return [
        DetailChunk(
            agent_id=agent_id,
            chunk=first // CHUNK,
            prompt=steps.prompt if first == 0 else (),
            steps=steps.details[first : first + CHUNK],
        )
        for first in range(0, max(1, len(steps.details)), CHUNK)
    ]


def _suspects(explanation: Explanation | None) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(name=each.name, changed_by=each.changed_by, path=each.path, used_by=each.used_by, used_in=each.used_in)
        for each in (explanation.symbols if explanation else ())
    )
