"""Reading how far an episode of a run has come."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.episode import EpisodeResult, EpisodeStatus
from cooperbench.records.files import read_model
from cooperbench.records.layout import EpisodeDirectory
from cooperbench.records.readers import read_patch
from cooperbench.records.run import GroupKey
from cooperbench.records.verdict import Evaluation, Outcome, Verdict


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
    """`None` before the evaluation, and when that failed for reasons that say nothing about the agents."""
    attempts: int = 0
    """The number of times it was begun, as far as known."""
    note: str = ""
    """Why it is unreadable."""

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Every stage behind the verdict. Read on first use: validating all tests takes seven times as long as everything else."""
        return None if self.verdict is None else _read_evaluation(self.files, Evaluation)

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


class _Judged(BaseModel):
    """The part of `eval.json` that most readers need."""

    verdict: Verdict


_Evaluated = TypeVar("_Evaluated", Evaluation, _Judged)


def read_state(directory: EpisodeDirectory, group: GroupKey) -> EpisodeView:
    """Read the state of an episode, its result and its verdict."""
    view = partial(EpisodeView, group, directory.path)
    try:
        result = read_model(directory.result, EpisodeResult)
    except (FileNotFoundError, NotADirectoryError):
        begun = read_start(directory)
        state = EpisodeState.UNFINISHED if directory.work.exists() else EpisodeState.NEW
        return view(state, attempts=begun.attempt if begun else 0)
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
    judged = _read_evaluation(directory, _Judged)
    return view(state, result, None if judged is None else judged.verdict, attempts=result.attempt)


def read_start(directory: EpisodeDirectory) -> EpisodeStart | None:
    """Read how an episode in progress began; `None` when it did not begin, or is being written just now."""
    try:
        return EpisodeStart.model_validate_json(directory.start.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def _read_evaluation(directory: EpisodeDirectory, kind: type[_Evaluated]) -> _Evaluated | None:
    """Read an evaluation; `None` if it is absent, unreadable, or failed for reasons that say nothing about the agents."""
    try:
        evaluation = read_model(directory.evaluation, kind)
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return None
    return None if evaluation.verdict.outcome is Outcome.INFRA_ERROR else evaluation
