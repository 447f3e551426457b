"""Say what an exception means for a member, an episode and the run.

Every failure is attributed to one boundary, once, here. Failures of the agent are its result and are scored. Failures of
sandbox, mailbox, remote or provider, and mistakes in CooperBench, say nothing about it: they void the episode, which is repeated on
resume.
"""

import errno

from cooperbench.errors import (
    AgentError,
    CooperBenchError,
    LimitReachedError,
    MessageRefusedError,
    ModelContextWindowError,
    ModelError,
    ModelOutputError,
    ModelRequestError,
)
from cooperbench.records import Ending, Failure
from cooperbench.runner.workers.tracebacks import TRACEBACK, frames_of, is_our_mistake

# Boundaries at which a failure is not the agent's, except for what a provider refuses because of what the agent's model wrote.
_NOT_THE_AGENTS = frozenset(
    {"model", "environment", "mailbox", "remote", "record", "task", "evaluation", "cooperbench", "usage"}
)
_AGENTS = (AgentError, MessageRefusedError)
REPORTED = "Reported"
"""Kind of a failure that the agent itself returned as `AgentResult.error`."""
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def failure_of(error: BaseException) -> Failure:
    """Turn what a member's agent raised into data. A full disk of this machine is not the agent's failure."""
    if is_our_mistake(error):
        failure = Failure.of(error.__cause__ or error, boundary="cooperbench")
        return failure.model_copy(update={"hint": f"CooperBench is wrong here: report it with {TRACEBACK}"})
    disk = _disk_error(error) if isinstance(error, AgentError) else None
    failure = Failure.of(disk or error, boundary="agent" if disk is None else "record")
    return failure.model_copy(update={"frames": frames_of(error)})


def _by_model(error: ModelError) -> bool:
    """Return whether a model is refused for what it wrote or for the length of its work, and not for how it is configured.

    Before the first answer nothing is the model's: then the task is too long for it, or a filter stops the task.
    """
    if isinstance(error, ModelRequestError):
        return error.by_model
    return isinstance(error, ModelContextWindowError | ModelOutputError)


def _disk_error(error: BaseException | None) -> OSError | None:
    """Return the error of a disk that is this error or behind it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # `raise error from error` is its own cause
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _DISK:
            return error
        error = error.__cause__ or error.__context__
    return None


def ending_of(error: BaseException, steps: int) -> Ending:
    """Say how a member's work ended when its agent raised `error` after so many `steps`."""
    if is_our_mistake(error):
        return Ending.INFRA_ERROR
    if isinstance(error, LimitReachedError):
        return Ending.TIMEOUT if error.kind == "wall_time" else Ending.LIMIT
    if isinstance(error, _AGENTS) or (isinstance(error, ModelError) and steps > 0 and _by_model(error)):
        return Ending.ERROR if _disk_error(error) is None else Ending.INFRA_ERROR
    if isinstance(error, CooperBenchError) and error.boundary in _NOT_THE_AGENTS:
        return Ending.INFRA_ERROR
    return Ending.ERROR
