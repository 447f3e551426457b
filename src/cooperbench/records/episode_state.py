"""Reading how far an episode of a run has come."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cooperbench.errors import RecordError, UnknownNameError
from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.claims import newest_attempt
from cooperbench.records.conversation import ConversationMessage
from cooperbench.records.episode import EpisodeResult, EpisodeStatus, MemberResult
from cooperbench.records.evaluation_events import evaluation_events
from cooperbench.records.events import Event
from cooperbench.records.falsification import FalsificationStatus
from cooperbench.records.files import is_linked, read_model
from cooperbench.records.layout import DEPTH, EpisodeDirectory
from cooperbench.records.readers import read_conversation, read_events, read_patch, read_trajectory
from cooperbench.records.run import GroupKey
from cooperbench.records.trajectory import Trajectory
from cooperbench.records.verdict import Evaluation, Judged, Outcome, Verdict


class EpisodeState(StrEnum):
    """The progress of an episode, which decides whether it has to be run."""

    NEW = "new"
    FINISHED = "finished"
    UNFINISHED = "unfinished"
    """Begun; the process that ran it ended first."""
    INTERRUPTED = "interrupted"
    INFRA_ERROR = "infra_error"
    UNREADABLE = "unreadable"


_STATES = {
    EpisodeStatus.COMPLETED: EpisodeState.FINISHED,
    EpisodeStatus.INTERRUPTED: EpisodeState.INTERRUPTED,
    EpisodeStatus.INFRA_ERROR: EpisodeState.INFRA_ERROR,
}


class EpisodeStart(Record):
    """Written when an episode begins."""

    started_at: UtcTime
    attempt: int
    agents: dict[AgentId, tuple[FeatureId, ...]]


@dataclass(frozen=True)
class EpisodeView:
    """One episode of a run as its directory shows it."""

    group: GroupKey
    directory: Path
    state: EpisodeState
    result: EpisodeResult | None = None
    verdict: Verdict | None = None
    """Under the policy that it was read for. `None` before the evaluation, and when that failed for reasons that say nothing about the agents."""
    forced_stages: frozenset[str] = frozenset()
    """Merge stages with results that broken tests contradict."""
    attempts: int = 0
    """The number of times it was begun, as far as known."""
    note: str = ""
    """Why it is unreadable."""

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Under every policy that the stored stages answer, without those that failed for such reasons. Read on first use."""
        return _read_verdicts(self.files) if self.state is EpisodeState.FINISHED else {}

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Every stage behind the verdict. Read on first use: validating all tests takes seven times as long as everything else."""
        try:
            return read_model(self.files.evaluation, Evaluation) if self.verdicts else None
        except (FileNotFoundError, RecordError):
            return None

    @property
    def files(self) -> EpisodeDirectory:
        """The paths of all files of the episode."""
        return EpisodeDirectory(self.directory)

    @property
    def completed(self) -> EpisodeResult | None:
        """The result of a finished episode; `None` in any other state."""
        return self.result if self.state is EpisodeState.FINISHED else None

    @property
    def passed(self) -> bool | None:
        """True when every feature's hidden tests pass on the merged work; `None` before that is known."""
        return None if self.verdict is None else self.verdict.passed

    @cached_property
    def conversation(self) -> tuple[ConversationMessage, ...]:
        """The messages between members in the order of the broker. Raises `FileNotFoundError` before the episode has ended."""
        return read_conversation(self.files)

    def events(self) -> tuple[Event, ...]:
        """Read what happened, in order, also while the episode is in progress; merges and suites come last.

        Raises `FileNotFoundError` before it began.
        """
        events = read_events(self.files)
        return events if self.evaluation is None else (*events, *evaluation_events(self.evaluation, len(events)))

    def trajectory(self, agent_id: str) -> Trajectory:
        """Read the history of one member. Raises `UnknownNameError` for one that the episode does not have."""
        self._member(agent_id)
        assert self.result is not None
        return read_trajectory(self.files, self.result, agent_id)

    def patch(self, agent_id: str) -> str:
        """Read what one member submitted; empty without a submission. `read_patch` has the bytes, where they are not UTF-8."""
        submission = self._member(agent_id).submission
        return "" if submission is None else read_patch(self.files, submission).decode("utf-8", "replace")

    def _member(self, agent_id: str) -> MemberResult:
        members = self.result.agents if self.result is not None else {}
        if agent_id not in members:
            raise UnknownNameError("member", agent_id, members)
        return members[agent_id]

    def __repr__(self) -> str:
        outcome = self.verdict.outcome.value if self.verdict is not None else "not judged"
        return f"<episode {self.group}: {self.state.value}, {outcome}>"


class _FalsifiedStatus(BaseModel):
    status: FalsificationStatus


class _FalsifiedSuite(BaseModel):
    falsification: _FalsifiedStatus | None = None


class _FalsifiedStage(BaseModel):
    name: str
    suites: tuple[_FalsifiedSuite, ...] = ()

    @property
    def forced(self) -> bool:
        found = (suite.falsification for suite in self.suites)
        return any(each is not None and each.status is FalsificationStatus.FORCED for each in found)


class _FalsifiedStages(BaseModel):
    stages: tuple[_FalsifiedStage, ...] = ()


class _FalsifyChoice(BaseModel):
    falsify: str = ""


class _JudgedPart(BaseModel):
    """The part of `eval.json` that most readers need: without tests, which are nearly all of it, and other policies."""

    verdict: Verdict
    choices: _FalsifyChoice = _FalsifyChoice()


class _AllVerdicts(Judged):
    model_config = ConfigDict(extra="ignore")


def read_state(directory: EpisodeDirectory, group: GroupKey, policy: str | None = None) -> EpisodeView:
    """Read the state of an episode, its result and its verdict under `policy`, by default the run's own."""
    view = partial(EpisodeView, group, directory.path)
    if is_linked(directory.path, DEPTH):
        return view(EpisodeState.UNREADABLE, note=f"{directory.path} is a link, which may lead out of the run")
    try:
        result = read_model(directory.result, EpisodeResult)
    except (FileNotFoundError, NotADirectoryError):
        found = _read_unfinished(directory, group)
        # An episode that ends meanwhile has lost its work when that is looked for, and would pass for a new one.
        return read_state(directory, group, policy) if directory.result.exists() else found
    except RecordError as error:
        return view(EpisodeState.UNREADABLE, note=error.message)
    state = _STATES[result.status]
    if state is not EpisodeState.FINISHED:
        return view(state, result, attempts=result.attempt)
    try:
        for member in result.agents.values():
            if member.submission is not None:
                read_patch(directory, member.submission)
    except RecordError as error:
        return view(EpisodeState.UNREADABLE, attempts=result.attempt, note=error.message)
    verdict, forced = _read_verdict(directory, policy)
    return view(state, result, verdict, forced, attempts=result.attempt)


def _read_unfinished(directory: EpisodeDirectory, group: GroupKey) -> EpisodeView:
    """Read the state of an episode without a result: that of the newest attempt, where several processes share the run."""
    if directory.work.exists() or (attempt := newest_attempt(directory)) is None:
        begun = read_start(directory)
        state = EpisodeState.UNFINISHED if directory.work.exists() else EpisodeState.NEW
        return EpisodeView(group, directory.path, state, attempts=begun.attempt if begun else 0)
    found = read_state(attempt, group)
    # What is not published may be thrown away.
    unpublished = found.state in (EpisodeState.FINISHED, EpisodeState.NEW)
    return replace(found, state=EpisodeState.UNFINISHED, result=None) if unpublished else found


def read_start(directory: EpisodeDirectory) -> EpisodeStart | None:
    """Read how an episode in progress began; `None` when it did not begin, or is being written just now."""
    try:
        return read_model(directory.start, EpisodeStart)
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return None


def _read_verdict(directory: EpisodeDirectory, policy: str | None) -> tuple[Verdict | None, frozenset[str]]:
    """Read the verdict under one policy, and the stages that broken tests contradict.

    A verdict that failed for reasons that say nothing about the agents is left out.
    """
    try:
        judged = read_model(directory.evaluation, _JudgedPart)
        contradicted = judged.choices.falsify == "warn"  # else they decide, and the verdict says so
        stages = read_model(directory.evaluation, _FalsifiedStages).stages if contradicted else ()
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return None, frozenset()
    forced = frozenset(stage.name for stage in stages if stage.forced)
    if policy not in (None, judged.verdict.policy):
        return _read_verdicts(directory).get(str(policy)), forced
    return (None if judged.verdict.outcome is Outcome.INFRA_ERROR else judged.verdict), forced


def _read_verdicts(directory: EpisodeDirectory) -> dict[str, Verdict]:
    try:
        judged = read_model(directory.evaluation, _AllVerdicts)
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return {}
    given = {judged.verdict.policy: judged.verdict, **judged.verdicts}
    return {name: verdict for name, verdict in given.items() if verdict.outcome is not Outcome.INFRA_ERROR}
