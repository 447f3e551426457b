"""The data of each kind of event, one model for each.

What events of earlier runs lack is optional here and `None` there.
"""

from typing import Literal

from pydantic import ConfigDict, Field

from cooperbench.records.base import AgentId, FeatureId, Record, UtcTime
from cooperbench.records.episode import Failure, Usage
from cooperbench.records.model_wait import ProviderWait
from cooperbench.records.submission import Ending, PatchSource


class EventDetails(Record):
    """The data of an event."""

    # `from` is a keyword in Python and the documented key in the file.
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class EpisodeStarted(EventDetails):
    """`episode.started`."""

    attempt: int


class EpisodeEnded(EventDetails):
    """`episode.ended`."""


class MemberStarted(EventDetails):
    """`member.started`: its process began; the sandbox is not there yet."""

    agent: str


class MemberReady(EventDetails):
    """`member.ready`: the sandbox is set up, and the agent has it. Begins with the process."""

    isolation: str


class MemberAskedToEnd(EventDetails):
    """`member.asked_to_end`: the harness asked the process to end."""

    why: str


class MemberRescued(EventDetails):
    """`member.rescued`: the process ended without handing its sandbox over, and the harness looked for it."""

    found: bool


class MemberEnded(EventDetails):
    """`member.ended`."""

    ending: Ending
    reason: str = ""


class MemberSubmitted(EventDetails):
    """`member.submitted`: the patch that counts was taken."""

    source: PatchSource
    bytes: int
    paths: tuple[str, ...] = Field((), description="Files that the patch changes.")


class MessageMoved(EventDetails):
    """`message.delivered`, `message.lost`, `message.read` and `notice.read`."""

    id: str
    sequence: int
    sender: str = Field(alias="from")
    to: str


class MessageSent(MessageMoved):
    """`message.sent`. The text is in `conversation.json`."""

    bytes: int
    reply_to: str | None = None
    question: bool = False


class MessageRefused(MessageMoved):
    """`message.refused`."""

    reason: str


class NoticeSent(MessageSent):
    """`notice.sent`: the harness told a member something."""

    text: str


class MessageWait(EventDetails):
    """`message.wait`: a member waited for a message, from `started_at` to `time`."""

    sender: str | None = Field(None, description="The teammate it waited for; absent for anybody.")
    timeout: float | None = Field(None, description="Seconds it would have waited; absent without a limit.")
    ended_by: Literal["message", "timeout", "teammate_gone", "interrupted"]


class BoardChanged(EventDetails):
    """`task.add`, `task.claim` and `task.done` on the team's board."""

    number: int
    text: str = ""
    refused: str | None = None


class BranchConflict(Record):
    """A branch that would conflict with the one pushed."""

    branch: str
    owner: AgentId | None = None
    paths: tuple[str, ...]


class RefChange(Record):
    """One reference in a push or a fetch."""

    ref: str = Field(description="Full name, such as refs/heads/agent1.")
    old: str | None = Field(None, description="Commit before a push; `None` when the branch is new, and in a fetch.")
    new: str | None = Field(None, description="Commit after a push, or the one fetched; `None` when deleted.")
    refused: str | None = Field(None, description="Why its push was refused.")
    subject: str | None = Field(None, description="First line of the pushed commit's message.")
    changed: tuple[str, ...] | None = Field(
        None, description="Files that differ from before the push, or from the base when the branch is new."
    )
    conflicts: tuple[BranchConflict, ...] | None = Field(
        None, description="Branches of teammates that the pushed commit would conflict with, and where."
    )


class GitMoved(EventDetails):
    """`git.push` and `git.fetch`."""

    refs: tuple[RefChange, ...]


class JournalEntry(EventDetails):
    """`agent.message`: the agent's history grew by a message that is neither of the model nor of a tool."""

    role: str
    index: int = Field(description="Position in the trajectory.")


class ModelCalled(EventDetails):
    """`model.call`: the model was asked at `started_at` and had answered at `time`, retries included."""

    role: str = "assistant"
    index: int | None = Field(None, description="Position of the answer in the trajectory, where that is known.")
    first_token_at: UtcTime | None = Field(None, description="When the answer began, for answers that are streamed.")
    usage: Usage | None = None


class ToolReturned(EventDetails):
    """`tool.result`: a tool was called at `started_at` and had answered at `time`."""

    role: str = "tool"
    index: int | None = Field(None, description="Position of the result in the trajectory, where that is known.")
    call_id: str | None = None
    tool: str | None = Field(None, description="`bash` for a command in the sandbox.")
    command: str | None = Field(None, description="The beginning of the command.")
    exit_code: int | None = None
    timed_out: bool = False
    changed: tuple[str, ...] | None = Field(
        None,
        description="Files of the work tree that changed, at most 100; absent when nobody looked. In large trees a change may be "
        "reported with a later command.",
    )


class StageMerged(EventDetails):
    """`merge.stage`: the submissions were merged in one way; made of `eval.json` when events are read."""

    stage: str
    status: str
    conflicts: tuple[str, ...] = ()


class SuiteTested(EventDetails):
    """`suite.run`: one feature's hidden tests ran on one tree; made of `eval.json` when events are read."""

    stage: str = Field(description="The first stage whose tree it ran on.")
    feature: FeatureId
    outcome: str
    reason: str = ""


DETAILS: dict[str, type[Record]] = {
    "episode.started": EpisodeStarted,
    "episode.failed": Failure,
    "episode.ended": EpisodeEnded,
    "member.started": MemberStarted,
    "member.ready": MemberReady,
    "member.asked_to_end": MemberAskedToEnd,
    "member.rescued": MemberRescued,
    "member.ended": MemberEnded,
    "member.submitted": MemberSubmitted,
    "message.sent": MessageSent,
    "message.delivered": MessageMoved,
    "message.refused": MessageRefused,
    "message.lost": MessageMoved,
    "message.read": MessageMoved,
    "message.wait": MessageWait,
    "notice.sent": NoticeSent,
    "notice.read": MessageMoved,
    "task.add": BoardChanged,
    "task.claim": BoardChanged,
    "task.done": BoardChanged,
    "git.push": GitMoved,
    "git.fetch": GitMoved,
    "model.call": ModelCalled,
    "model.wait": ProviderWait,
    "tool.result": ToolReturned,
    "agent.message": JournalEntry,
    "merge.stage": StageMerged,
    "suite.run": SuiteTested,
}
