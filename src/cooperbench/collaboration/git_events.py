"""What happened on the shared git remote, as data."""

from typing import Literal

from pydantic import AwareDatetime, Field

from cooperbench.records import AgentId, Record, utc_now


class RefChange(Record):
    """One reference in a push or a fetch."""

    ref: str = Field(description="Full name, such as refs/heads/agent1.")
    old: str | None = Field(None, description="Commit before a push; `None` when the branch is new, and in a fetch.")
    new: str | None = Field(None, description="Commit after a push, or the one fetched; `None` when deleted.")
    refused: str | None = Field(None, description="Why a push of it was not accepted.")
    subject: str | None = Field(None, description="First line of the message of the commit that was pushed.")


class GitEvent(Record):
    """A push, accepted or refused, or a fetch that brought something."""

    time: AwareDatetime = Field(default_factory=utc_now)
    episode: str
    agent_id: AgentId
    action: Literal["push", "fetch"]
    refs: tuple[RefChange, ...]

    @property
    def summary(self) -> str | None:
        """An accepted push in a few words, such as `agent1 at 1a2b3c4: Add the parser`; `None` for anything else."""
        moved = [change for change in self.refs if self.action == "push" and change.refused is None]
        return "; ".join(map(_in_words, moved)) or None


def _in_words(change: RefChange) -> str:
    branch = change.ref.removeprefix("refs/heads/")
    return f"{branch} at {change.new[:7]}: {change.subject}" if change.new else f"{branch} deleted"
