"""The submission of one member, and how it was obtained."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from cooperbench.records.base import AgentId, FeatureId, PlainName, Record


class Ending(StrEnum):
    """The way a member's work ended."""

    SUBMITTED = "submitted"
    LIMIT = "limit"
    """Steps, tokens or cost were used up."""
    TIMEOUT = "timeout"
    """The wall time was used up, and the harness ended the agent."""
    ERROR = "error"
    """The agent reported an error or raised an exception."""
    CRASH = "crash"
    """The agent's process ended without a result."""
    INTERRUPTED = "interrupted"
    """The user stopped the run."""
    INFRA_ERROR = "infra_error"
    """Sandbox, mailbox, remote or provider failed; says nothing about the agent. Repeated on resume."""


class PatchSource(StrEnum):
    """The origin of a submitted patch."""

    AGENT = "agent"
    """The agent returned it itself."""
    CAPTURED = "captured"
    """The harness took it from the work tree."""
    NONE = "none"
    """There was no change."""


class PatchFinding(Record):
    """Something in a submitted patch that does not belong there: conflict markers, `.rej`/`.orig` files, caches, huge files.

    Or what there is to say about the work tree: the repository is gone, cannot be read, or holds another repository.
    """

    path: str
    kind: str
    detail: str = ""


class Submission(Record):
    """One member's patch against the pinned base tree. The bytes themselves lie in `file`, next to the record."""

    agent_id: AgentId
    features: tuple[FeatureId, ...]
    file: PlainName | Literal[""] = Field(
        description="Name of the patch file inside the episode's directory; empty for a patch that lies in no file."
    )
    sha256: str = Field(description="Of the patch's bytes.")
    bytes: int = Field(ge=0)
    lines: int = Field(ge=0, description="Added plus removed lines.")
    source: PatchSource
    base_tree: str | None = Field(None, description="Git tree id that the patch applies to.")
    findings: tuple[PatchFinding, ...] = ()
    skipped: tuple[str, ...] = Field(
        (), description="Paths left out: unreadable, too large, too long, special, or copies of the repository."
    )
    ignored: tuple[str, ...] = Field(
        (), description="Paths left out because git ignores them, but for caches; a folder stands for its content."
    )
