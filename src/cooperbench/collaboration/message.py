"""A message between teammates, on its way and as an agent gets it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol, TypedDict

HARNESS = "harness"
"""The sender of notices: that a teammate's work has ended, and how. No member may be called so."""

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of one message. Longer things belong into the shared repository."""

ReceivedMessage = TypedDict(
    "ReceivedMessage",
    {
        "from": str,
        "to": str,
        "text": str,
        "id": str,
        "sequence": int,
        "time": str,
        "reply_to": str | None,
        "question": bool,
    },
)
"""One message as `receive()` gives it. `time` is the broker's, ISO 8601 in UTC; `reply_to` the id of the question that this
answers; `question` says that the sender is waiting for an answer."""


@dataclass(frozen=True)
class Message:
    """One message as it lies in the broker."""

    sender: str
    to: str
    sequence: int
    """Position in the broker's log of the episode; gaps are normal for a reader, who sees only its own messages."""
    time: datetime
    id: str
    data: bytes
    reply_to: str | None
    question: bool
    refused: str | None = None
    place: str = ""
    """Id of the entry in its stream."""

    @property
    def text(self) -> str:
        """The text; bytes that are not UTF-8 become U+FFFD."""
        return self.data.decode(errors="replace")

    def received(self) -> ReceivedMessage:
        """The message as agents get it."""
        return {
            "from": self.sender,
            "to": self.to,
            "text": self.text,
            "id": self.id,
            "sequence": self.sequence,
            "time": self.time.isoformat(),
            "reply_to": self.reply_to,
            "question": self.question,
        }


class Receipt(NamedTuple):
    """What became of one send: delivered, or refused with the reason."""

    to: str
    id: str
    sequence: int
    time: datetime
    refused: str | None
    gone: bool
    """Refused because the teammate's work has ended."""


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


def broker_time(microseconds: bytes | str) -> datetime:
    """A point in time by the broker's clock, given in microseconds since 1970 UTC."""
    return datetime.fromtimestamp(int(microseconds) / 1e6, UTC)


def from_entry(sender: str, place: bytes, fields: list[bytes]) -> Message:
    """Read one entry of a stream."""
    value = dict(zip(fields[::2], fields[1::2], strict=True))
    return Message(
        sender=sender,
        to=value[b"to"].decode(errors="replace"),
        sequence=int(value[b"sequence"]),
        time=broker_time(value[b"time"]),
        id=value[b"id"].decode(),
        data=value[b"text"],
        reply_to=value[b"reply_to"].decode() or None,
        question=value[b"question"] == b"1",
        refused=value[b"refused"].decode(errors="replace") or None,
        place=place.decode(),
    )
