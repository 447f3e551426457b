"""`result.json`: how one episode went."""

from enum import StrEnum
from typing import Self

from pydantic import Field

from cooperbench.errors import CooperBenchError
from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.host_paths import without_host_paths
from cooperbench.records.submission import Ending, Submission
from cooperbench.records.team import Role, Setting

_LONGEST = 1000
"""Characters of an error's message that are kept."""


class Failure(Record):
    """An error as data: the boundary that failed, the error, and whether a retry can help."""

    boundary: str = Field(
        description="model, environment, mailbox, remote, agent, evaluation, task, record or cooperbench."
    )
    kind: str = Field(description="Class name of the error.")
    message: str
    retryable: bool = False
    hint: str | None = None
    frames: tuple[str, ...] = Field(
        (), description="The last lines of the agent's code that the exception passed, innermost last."
    )

    @classmethod
    def of(cls, error: BaseException, *, boundary: str = "agent") -> Self:
        """Turn an exception into data. `boundary` is for exceptions from elsewhere, which do not name theirs."""
        message = _text(error)
        if isinstance(error, CooperBenchError):
            return cls(
                boundary=error.boundary,
                kind=type(error).__name__,
                message=message,
                retryable=error.retryable,
                hint=None if error.hint is None else without_host_paths(error.hint),
            )
        return cls(boundary=boundary, kind=type(error).__name__, message=message)


def _text(error: BaseException) -> str:
    try:
        text = error.message if isinstance(error, CooperBenchError) else str(error)
    except Exception as unprintable:
        return f"an exception whose message cannot be printed ({type(unprintable).__name__})"
    line = without_host_paths(" ".join(text.encode("utf-8", "backslashreplace").decode().split()))
    return line[:_LONGEST] or type(error).__name__


class LimitReached(Record):
    """Which limit ended a member's work."""

    kind: str = Field(description="steps, tokens, cost, command_time or wall_time.")
    value: float
    limit: float


class Usage(Record):
    """Cost and tokens of model calls. Unknown is `None`, never 0."""

    cost: float | None = Field(None, ge=0, description="US dollars.")
    input_tokens: int | None = Field(None, ge=0)
    output_tokens: int | None = Field(None, ge=0)
    cached_tokens: int | None = Field(None, ge=0)


class MemberResult(Record):
    """One member's part of an episode."""

    agent_id: AgentId
    agent: str
    model: str
    features: tuple[FeatureId, ...]
    feature_id: FeatureId | None = Field(
        None, description="The first of `features`: the key that scripts for the published record read."
    )
    role: Role | None = None
    ending: Ending
    status: str = Field(description="The word that the agent itself returned, such as `Submitted`.")
    steps: int = Field(0, ge=0)
    cost: float | None = Field(None, description="US dollars, as in `usage`: the key that scripts read.")
    usage: Usage = Usage()
    messages_sent: int = Field(0, ge=0)
    messages_received: int = Field(0, ge=0)
    patch_lines: int = Field(0, ge=0)
    submission: Submission | None = None
    trajectory: str | None = Field(None, description="Name of its trajectory's file. Absent in earlier runs.")
    limit: LimitReached | None = None
    error: Failure | None = None
    started_at: UtcTime
    ended_at: UtcTime
    isolation: str | None = Field(None, description="What kept the sandbox apart, e.g. `docker` or `bubblewrap`.")
    layers: dict[str, str] = Field(
        default_factory=dict, description="Programs of agents, each with version and digest."
    )


class EpisodeStatus(StrEnum):
    """The way an episode ended, which decides whether its result counts."""

    COMPLETED = "completed"
    """Every member ended by itself or at a limit; the submissions can be judged."""
    INFRA_ERROR = "infra_error"
    """Something other than the agents failed; repeated on resume, never scored."""
    INTERRUPTED = "interrupted"


class EpisodeResult(Record):
    """One team on one group of features."""

    schema_version: int = 1
    run: str
    configuration: str | None = Field(None, description="`RunConfig.digest` of the run that it was made by.")
    setting: Setting
    repo: str
    task_id: int
    features: tuple[FeatureId, ...]
    repeat: int = Field(1, ge=1, description="Which repeat of its group, counted from 1.")
    task_revision: str | None = Field(None, description="Digest of the task's files. Absent in earlier runs.")
    titles: dict[FeatureId, str] = Field(default_factory=dict, description="Of the features. Absent in earlier runs.")
    language: str | None = Field(None, description="Of most files of the gold patches. Absent in earlier runs.")
    status: EpisodeStatus
    agents: dict[AgentId, MemberResult]
    image: str
    image_digest: str | None = None
    base_commit: str | None = None
    backend: str
    total_cost: float | None = Field(None, description="US dollars; `None` if any member's cost is unknown.")
    total_steps: int = 0
    messages: int = Field(0, description="Messages delivered between members.")
    started_at: UtcTime
    ended_at: UtcTime
    duration_seconds: float = Field(ge=0)
    attempt: int = Field(1, ge=1)
    error: Failure | None = None
