"""What an exception means for a member, an episode and the run.

Every failure is attributed to one boundary, once, here. Failures of the agent are its result and are scored. Failures of
sandbox, mailbox, remote or provider say nothing about it: they void the episode, which is repeated on resume.
"""

from cooperbench.errors import (
    AgentError,
    CooperBenchError,
    LimitReachedError,
    MessageRefusedError,
    ModelContextWindowError,
    ModelResponseError,
)
from cooperbench.records import Ending, Failure, LimitReached

# Boundaries at which a failure is not the agent's. What a model answered or refused because of what the agent sent it is.
_OURS = frozenset({"model", "environment", "mailbox", "remote", "record", "task", "evaluation", "cooperbench", "usage"})
_LONGEST = 1000
_AGENTS = (AgentError, MessageRefusedError, ModelContextWindowError, ModelResponseError)


def to_failure(error: BaseException, *, boundary: str = "agent") -> Failure:
    """An exception as data. Exceptions that are not ours came out of the agent's code, unless said otherwise."""
    message = _text(error)
    if isinstance(error, CooperBenchError):
        return Failure(
            boundary=error.boundary,
            kind=type(error).__name__,
            message=message,
            retryable=error.retryable,
            hint=error.hint,
        )
    return Failure(boundary=boundary, kind=type(error).__name__, message=message)


def _text(error: BaseException) -> str:
    try:
        text = error.message if isinstance(error, CooperBenchError) else str(error)
    except Exception as unprintable:
        return f"an exception whose message cannot be printed ({type(unprintable).__name__})"
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return line[:_LONGEST] or type(error).__name__


def ending_of(error: BaseException) -> Ending:
    """How a member's work ended when its agent raised this."""
    if isinstance(error, LimitReachedError):
        return Ending.TIMEOUT if error.kind == "wall_time" else Ending.LIMIT
    if isinstance(error, _AGENTS):
        return Ending.ERROR
    if isinstance(error, CooperBenchError) and error.boundary in _OURS:
        return Ending.INFRA_ERROR
    return Ending.ERROR


def limit_of(error: BaseException) -> LimitReached | None:
    """The limit behind an ending, as data."""
    if isinstance(error, LimitReachedError):
        return LimitReached(kind=error.kind, value=error.value, limit=error.limit)
    return None
