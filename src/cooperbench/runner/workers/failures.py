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
from cooperbench.records import Ending

# Boundaries at which a failure is not the agent's. What a model answered or refused because of what the agent sent it is.
_OURS = frozenset({"model", "environment", "mailbox", "remote", "record", "task", "evaluation", "cooperbench", "usage"})
_AGENTS = (AgentError, MessageRefusedError, ModelContextWindowError, ModelResponseError)


def ending_of(error: BaseException) -> Ending:
    """How a member's work ended when its agent raised this."""
    if isinstance(error, LimitReachedError):
        return Ending.TIMEOUT if error.kind == "wall_time" else Ending.LIMIT
    if isinstance(error, _AGENTS):
        return Ending.ERROR
    if isinstance(error, CooperBenchError) and error.boundary in _OURS:
        return Ending.INFRA_ERROR
    return Ending.ERROR
