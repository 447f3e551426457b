"""What a claimant and its node tell the driver: JSON, one message on a line."""

from typing import Literal, NamedTuple

from cooperbench.records.base import Record


class NodeMessage(Record):
    """One line from a node."""

    kind: Literal["note", "ended", "interrupted", "refused", "lost"]
    """refused: its claimant did not begin. lost: node, actor or claimant ended without a word."""
    text: str = ""
    """For `ended`, why it stopped early, if it did."""
    subject: str | None = None
    hint: str | None = None

    @property
    def is_last(self) -> bool:
        """True when the node works on the run no more."""
        return self.kind != "note"


class Refusal(NamedTuple):
    """Why a node cannot take part: a sentence that lacks its subject, and what to do."""

    text: str
    hint: str
