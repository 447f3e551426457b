"""Messages between teammates: as the broker stores them, as agents get them, and the policy of the channel between."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypedDict

from cooperbench.errors import MessageRefusedError, TeammateGoneError
from cooperbench.records.visible import one_line, quoted

HARNESS = "harness"
"""The sender of notices that a teammate's work has ended. No member may have this name."""

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of one message. Anything longer belongs in the shared repository."""

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
"""One message as `receive()` returns it. `time` is the broker's, in ISO 8601 and UTC; `reply_to` is the id of the question that
this answers; `question` says that the sender waits for an answer."""


def shown_message(message: Mapping[str, Any]) -> str:
    """Return a received message for a model to read: who sent it, then its text, each line of which is marked.

    Whatever a teammate writes, it cannot be taken for the beginning of another message or for a notice of the harness.
    """
    waiting = ", who is waiting for your answer" if message.get("question") else ""
    return f"Message from {one_line(str(message['from']))}{waiting}:\n{quoted(str(message['text']))}".removesuffix("\n")


@dataclass(frozen=True)
class Message:
    """One message as the broker stores it."""

    sender: str
    to: str
    sequence: int
    """Position in the broker's log of the episode. A reader sees gaps, because it sees only its own messages."""
    time: datetime
    id: str
    data: bytes
    reply_to: str | None
    question: bool
    refused: str | None = None
    place: str = ""
    """Id of its stream entry."""

    @property
    def text(self) -> str:
        """The text, with U+FFFD for bytes that are not UTF-8."""
        return self.data.decode(errors="replace")

    def received(self) -> ReceivedMessage:
        """Convert to the form that agents get."""
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
    """The outcome of one send: delivered, or refused with the reason."""

    to: str
    id: str
    sequence: int
    time: datetime
    refused: str | None
    gone: bool
    """Refused because the teammate's work has ended."""


def accepted(receipt: Receipt) -> Receipt:
    """Return the receipt of a message that was delivered. Raises `MessageRefusedError`, or `TeammateGoneError`."""
    if receipt.refused is None:
        return receipt
    kind = TeammateGoneError if receipt.gone else MessageRefusedError
    raise kind(f"not delivered: {receipt.refused}", subject=receipt.to)


class Fate(StrEnum):
    """The fate of a message that the broker accepts."""

    DELIVER = "deliver"
    LOSE = "lose"
    """The recipient never gets it, while its sender believes that it was delivered. The record says so."""


class ChannelPolicy(Protocol):
    """Decides on each message before it is sent: the place to study delay, loss and silence. It may sleep to delay the sender."""

    def fate(self, sender: str, to: str, data: bytes) -> Fate:
        """Decide what happens to this message."""
        ...


class DeliverAsIs:
    """The default policy: everything arrives, at once and unchanged."""

    def fate(self, sender: str, to: str, data: bytes) -> Fate:
        """Deliver."""
        return Fate.DELIVER


def broker_time(microseconds: bytes | str) -> datetime:
    """Convert a time of the broker's clock, in microseconds since 1970 UTC."""
    return datetime.fromtimestamp(int(microseconds) / 1e6, UTC)


def from_entry(sender: str, place: bytes, value: dict[bytes, bytes]) -> Message:
    """Read one entry of a stream."""
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
