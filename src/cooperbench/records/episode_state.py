"""What a run directory already holds of an episode."""

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
from cooperbench.records.verdict import Evaluation, Outcome


class Standing(StrEnum):
    """Whether an episode has to be run."""

    NEW = "new"
    FINISHED = "finished"
    UNFINISHED = "unfinished"
    """Begun, and ended with the process that ran it."""
    INTERRUPTED = "interrupted"
    INFRA_ERROR = "infra_error"
    UNREADABLE = "unreadable"


class EpisodeStart(Record):
    """Written when an episode begins."""

    started_at: UtcTime
    attempt: int
    agents: dict[AgentId, tuple[FeatureId, ...]]


class EpisodeState(NamedTuple):
    """What was found of one episode."""

    standing: Standing
    result: EpisodeResult | None = None
    attempts: int = 0
    """How often it was begun, as far as that is known."""
    note: str = ""


def examine(directory: EpisodeDirectory) -> EpisodeState:
    """Read an episode's result, whatever state it is in."""
    try:
        result = read_model(directory.result, EpisodeResult)
    except (FileNotFoundError, NotADirectoryError):
        begun = read_start(directory)
        standing = Standing.UNFINISHED if directory.work.exists() else Standing.NEW
        return EpisodeState(standing, attempts=begun.attempt if begun else 0)
    except RecordError as error:
        return EpisodeState(Standing.UNREADABLE, note=error.message)
    standing = {
        EpisodeStatus.COMPLETED: Standing.FINISHED,
        EpisodeStatus.INTERRUPTED: Standing.INTERRUPTED,
        EpisodeStatus.INFRA_ERROR: Standing.INFRA_ERROR,
    }[result.status]
    if standing is Standing.FINISHED:
        for member in result.agents.values():
            if member.submission and (
                fault := _fault(directory.path / member.submission.file, member.submission.sha256)
            ):
                return EpisodeState(Standing.UNREADABLE, attempts=result.attempt, note=fault)
    return EpisodeState(standing, result, result.attempt)


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
