"""What may happen to a message between sender and recipient: the place to study delay, loss and silence."""

from enum import StrEnum
from typing import Protocol


class Fate(StrEnum):
    """What becomes of a message that the broker accepts."""

    DELIVER = "deliver"
    LOSE = "lose"
    """The sender believes it was sent, the recipient never gets it, the record says so."""


class ChannelPolicy(Protocol):
    """Decides on each message before it is sent. May sleep to delay the sender, or change nothing but what it returns."""

    def fate(self, sender: str, to: str, data: bytes) -> Fate:
        """What becomes of this message."""
        ...


class DeliverAsIs:
    """The default: everything arrives, at once and unchanged."""

    def fate(self, sender: str, to: str, data: bytes) -> Fate:
        """Deliver."""
        return Fate.DELIVER
