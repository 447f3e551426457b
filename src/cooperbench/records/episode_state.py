"""What a run directory holds of an episode."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.episode import EpisodeResult, EpisodeStatus
from cooperbench.records.files import read_model
from cooperbench.records.layout import EpisodeDirectory
from cooperbench.records.run import GroupKey
from cooperbench.records.verdict import Evaluation, Outcome


class EpisodeState(StrEnum):
    """How far an episode has come, and so whether it has to be run."""

    NEW = "new"
    FINISHED = "finished"
    UNFINISHED = "unfinished"
    """Begun, and ended with the process that ran it."""
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


class EpisodeView(NamedTuple):
    """One episode of a run as its directory shows it."""

    group: GroupKey
    directory: Path
    state: EpisodeState
    result: EpisodeResult | None = None
    evaluation: Evaluation | None = None
    """`None` when there is none yet, or when it failed without saying anything about the agents."""
    attempts: int = 0
    """How often it was begun, as far as that is known."""
    note: str = ""
    """Why it is unreadable."""

    @property
    def completed(self) -> EpisodeResult | None:
        """The result of a finished episode; `None` in any other state."""
        return self.result if self.state is EpisodeState.FINISHED else None

    @property
    def passed(self) -> bool | None:
        """True when every feature's hidden tests pass on the merged work; `None` before that is known."""
        return None if self.evaluation is None else self.evaluation.verdict.passed


def read_episode(directory: EpisodeDirectory, group: GroupKey) -> EpisodeView:
    """Read one episode with its evaluation."""
    found = read_state(directory, group)
    return found if found.completed is None else found._replace(evaluation=read_evaluation(directory))


def read_state(directory: EpisodeDirectory, group: GroupKey) -> EpisodeView:
    """Read one episode without its evaluation, which is most of the reading."""
    try:
        result = read_model(directory.result, EpisodeResult)
    except (FileNotFoundError, NotADirectoryError):
        begun = read_start(directory)
        state = EpisodeState.UNFINISHED if directory.work.exists() else EpisodeState.NEW
        return EpisodeView(group, directory.path, state, attempts=begun.attempt if begun else 0)
    except RecordError as error:
        return EpisodeView(group, directory.path, EpisodeState.UNREADABLE, note=error.message)
    found = EpisodeView(group, directory.path, _STATES[result.status], result, attempts=result.attempt)
    submissions = [member.submission for member in result.agents.values() if member.submission is not None]
    faults = (_fault(directory.path / submission.file, submission.sha256) for submission in submissions)
    fault = next(filter(None, faults), None) if found.completed else None
    return found._replace(state=EpisodeState.UNREADABLE, result=None, note=fault) if fault else found


def read_start(directory: EpisodeDirectory) -> EpisodeStart | None:
    """How an episode began that has no result yet; `None` when it did not, or when that is being written."""
    try:
        return EpisodeStart.model_validate_json(directory.start.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def _fault(patch: Path, digest: str) -> str:
    """What is wrong with a patch: it must be the one that was handed in."""
    try:
        same = hashlib.sha256(patch.read_bytes()).hexdigest() == digest.removeprefix("sha256:")
    except FileNotFoundError:
        return f"{patch} is missing"
    except OSError as error:
        return f"cannot read {patch}: {error.strerror}"
    return "" if same else f"{patch} is not what was handed in"


def read_evaluation(directory: EpisodeDirectory) -> Evaluation | None:
    """The evaluation of an episode, unless it is absent, unreadable, or failed for reasons of ours."""
    try:
        evaluation = read_model(directory.evaluation, Evaluation)
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return None
    return None if evaluation.verdict.outcome is Outcome.INFRA_ERROR else evaluation
