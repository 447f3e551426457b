"""What a run directory already holds of an episode."""

from enum import StrEnum
from typing import NamedTuple

from cooperbench.errors import RecordError
from cooperbench.records import EpisodeDirectory, EpisodeResult, EpisodeStatus, Evaluation, Outcome, read_model
from cooperbench.runner.directory.live import read_start


class Standing(StrEnum):
    """Whether an episode has to be run."""

    NEW = "new"
    FINISHED = "finished"
    UNFINISHED = "unfinished"
    """Begun, and ended with the process that ran it."""
    INTERRUPTED = "interrupted"
    INFRA_ERROR = "infra_error"
    UNREADABLE = "unreadable"


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
        missing = [
            member.submission.file
            for member in result.agents.values()
            if member.submission and not (directory.path / member.submission.file).exists()
        ]
        if missing:
            return EpisodeState(
                Standing.UNREADABLE, attempts=result.attempt, note=f"{directory.path / missing[0]} is missing"
            )
    return EpisodeState(standing, result, result.attempt)


def read_evaluation(directory: EpisodeDirectory) -> Evaluation | None:
    """The evaluation of an episode, unless it is absent, unreadable, or failed for reasons of ours."""
    try:
        evaluation = read_model(directory.evaluation, Evaluation)
    except (FileNotFoundError, NotADirectoryError, RecordError):
        return None
    return None if evaluation.verdict.outcome is Outcome.INFRA_ERROR else evaluation
