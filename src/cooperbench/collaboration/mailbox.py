"""Messages between the members of one episode: `MessagingConnector`, the published interface.

Each ordered pair of members has a stream that only the sender may write and only the recipient may read, so names cannot be
forged and nobody else can read along. One script call sends: it numbers the message, gives it the broker's time, and records it as
delivered or refused. Repeated after a broken connection, it answers with what happened the first time. Reading moves messages
from the stream to "in flight" in one step, so two readers of one inbox never get the same message, and a message whose reader
died before handling it goes to the next reader. See `docs/design/mailbox.md`.
"""

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal, Self

from cooperbench.collaboration import presence
from cooperbench.collaboration._inbox import Inbox
from cooperbench.collaboration._store import MailboxAddress, Store, text_of
from cooperbench.collaboration.arrivals import current_arrivals
from cooperbench.collaboration.message import (
    HARNESS,
    MESSAGE_LIMIT,
    ChannelPolicy,
    DeliverAsIs,
    Message,
    Receipt,
    ReceivedMessage,
    accepted,
    broker_time,
)
from cooperbench.collaboration.team_access import by_folded_name, folded
from cooperbench.errors import (
    MailboxUnavailableError,
    TeammateGoneError,
    UnknownNameError,
    UsageError,
)
from cooperbench.records import utc_now
from cooperbench.records.activity import WaitSpan, current_activity

_CLOSE_SECONDS = 1.0
_log = logging.getLogger(__name__)


class MessageCounter:
    """A counter that several threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self) -> None:
        """Count one message."""
        with self._lock:
            self.count += 1


messages_sent = MessageCounter()
"""The messages sent by this process, for the live display: in a run, a process is one member."""


class MessagingConnector:
    """One member's mailbox.

    `agent_id` is the member's own name, `agents` the names of all members, `url` the mailbox
    (`redis://[user:password@]host:port#run:<id>`). Making one deletes and registers nothing: earlier messages are there. Safe to
    use from several threads.

    What `receive`, `wait` and `ask` return counts as handled once one of them is called again or the connector is closed. If the
    process dies before that, the member's next connector gets it again. Raises `UsageError` for a wrong address or name, and
    `MailboxUnavailableError` when the broker stays away for 15 seconds.
    """

    def __init__(self, agent_id: str, agents: Sequence[str], url: str, *, policy: ChannelPolicy | None = None) -> None:
        if agent_id not in agents:
            raise UnknownNameError("member", agent_id, agents)
        if folded(HARNESS) in by_folded_name(agents):
            raise UsageError(f"a member cannot be called {HARNESS!r}: that is the sender of notices", subject=HARNESS)
        self.agent_id = agent_id
        self.agents = list(agents)
        self.teammates = [name for name in self.agents if name != agent_id]
        address = MailboxAddress.parse(url)
        self._prefix = address.prefix
        self._store = Store(address.server)
        self._policy = policy or DeliverAsIs()
        self._inbox = Inbox(self._store, self._prefix, agent_id, self.teammates)
        self._returned_last: list[Message] = []
        self._closed = False

    # Sending

    def send(self, to_agent: str, message: str | bytes, *, reply_to: str | None = None) -> Receipt:
        """Send one message. Raises `MessageRefusedError`, with the reason and what is possible, when it cannot be delivered.

        `reply_to` is the id of the question that this answers. Without it, the first message to a teammate whose question was read
        counts as the answer. A message to oneself is refused without an exception, as its receipt says: an agent that every member
        runs with one name in it must not end for the member of that name.
        """
        receipt = self._send(to_agent, message, reply_to=reply_to or "")
        if to_agent == self.agent_id:
            _log.warning("not delivered: %s", receipt.refused)
            return receipt
        return accepted(receipt)

    def broadcast(self, message: str | bytes) -> list[Receipt]:
        """Send a message to every teammate. Each receipt says whether it was delivered; a refusal raises nothing."""
        return [self._send(teammate, message) for teammate in self.teammates]

    def ask(self, to_agent: str, message: str | bytes, *, timeout: float | None = None) -> ReceivedMessage | None:
        """Send a question and wait at most `timeout` seconds for its answer; return `None` when none came.

        Other messages that arrive meanwhile stay unread. Raises `TeammateGoneError` when the teammate's work ends first.
        """
        answers = self.take_answer(to_agent, self.send_question(to_agent, message).id, timeout=timeout)
        self._handled_at_next_call(answers)
        return answers[0].received() if answers else None

    def send_question(self, to_agent: str, message: str | bytes) -> Receipt:
        """Send a question without waiting; `take_answer` waits for its answer."""
        return accepted(self._send(to_agent, message, question=True))

    def _send(self, to: str, message: str | bytes, *, reply_to: str = "", question: bool = False) -> Receipt:
        data = message if isinstance(message, bytes) else message.encode(errors="surrogateescape")
        identifier = uuid.uuid4().hex
        refusal = self._refusal(to, data)
        fate = self._policy.fate(self.agent_id, to, data)
        sequence, moment, reason = self._store.run(
            "send",
            self._prefix,
            self.agent_id,
            to.encode(errors="replace"),
            identifier,
            data[:MESSAGE_LIMIT],
            reply_to,
            int(question),
            fate.value,
            refusal,
        )
        gone = bool(reason) and not refusal
        if not reason:
            messages_sent.add()
        return Receipt(to, identifier, sequence, broker_time(moment), text_of(reason) or None, gone)

    def _refusal(self, to: str, data: bytes) -> str:
        names = ", ".join(self.teammates) or "nobody"
        if to == self.agent_id:
            return f"{to!r} is yourself; you can write to: {names}"
        if to not in self.teammates:
            return f"there is no teammate {to!r}; you can write to: {names}"
        if len(data) > MESSAGE_LIMIT:
            return f"the message has {len(data)} bytes, more than {MESSAGE_LIMIT}; share long texts as files"
        return ""

    # Reading

    def receive(self) -> list[ReceivedMessage]:
        """Return all new messages, oldest first, without waiting."""
        return self._read(self.take())

    def peek(self) -> list[ReceivedMessage]:
        """Return what `receive` would return, and leave it unread."""
        return [message.received() for message in self._inbox.look()]

    def wait(self, from_: str | None = None, timeout: float | None = None) -> list[ReceivedMessage]:
        """Wait at most `timeout` seconds for new messages, from one teammate or from anyone; return `[]` when none came.

        Teammates see who is waiting for them. A notice that a teammate's work has ended is a message too, from `harness`.
        Raises `TeammateGoneError` when nobody is left who could write.
        """
        return self._read(self.take(from_, timeout=timeout, wait=True))

    def team(self) -> list[presence.Teammate]:
        """Return what is known about each teammate: presence, current work, whom it waits for, how it ended."""
        return presence.read_team(self._store, self._prefix, self.teammates)

    # Reading with explicit acknowledgement, for callers that pass messages on

    def take(
        self,
        from_: str | None = None,
        *,
        timeout: float | None = None,
        wait: bool = False,
        stop: threading.Event | None = None,
    ) -> list[Message]:
        """Read as `receive` or `wait` do, but keep each message in flight until `acknowledge` or `release` is called for it.

        Setting `stop` and calling `wake` ends the waiting.
        """
        if from_ is not None and from_ not in self.teammates:
            raise UnknownNameError("teammate", from_, self.teammates)
        recorded = current_arrivals()
        if recorded is not None and (not wait or recorded.due(from_)):
            return recorded.take(self._inbox, from_, stop)
        if not wait:
            return self._inbox.take(from_)
        with _noted_wait(from_, timeout) as came:
            came += (messages := self._inbox.wait(from_, timeout, stop=stop))
        return _noted(messages)

    def take_answer(
        self, from_: str, question: str, *, timeout: float | None = None, stop: threading.Event | None = None
    ) -> list[Message]:
        """Wait for the answer to the question with this id. Returns at most one message, in flight until acknowledged."""
        with _noted_wait(from_, timeout) as came:
            came += (messages := self._inbox.wait(from_, timeout, answer=question, stop=stop))
        return _noted(messages)

    def wake(self) -> None:
        """Make everyone who waits on this inbox look again, also at `stop`."""
        self._inbox.wake()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Mark messages as handled; they will not come again."""
        self._inbox.acknowledge(messages)

    def release(self, messages: Sequence[Message]) -> None:
        """Give messages back for the next reader."""
        self._inbox.release(messages)

    def was_read(self, receipt: Receipt) -> bool:
        """Return whether the recipient has read this message."""
        return bool(self._store.command("HEXISTS", f"{self._prefix}own:{receipt.to}:read", receipt.sequence))

    def close(self) -> None:
        """Acknowledge what was returned, end all waiting and close the connections. Closing twice is fine.

        An unreachable broker is ignored here.
        """
        if self._closed:
            return
        self._closed = True
        self._store.retry_seconds = _CLOSE_SECONDS
        with suppress(MailboxUnavailableError):
            self._acknowledge_last()
            self._inbox.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read(self, messages: list[Message]) -> list[ReceivedMessage]:
        self._handled_at_next_call(messages)
        return [message.received() for message in messages]

    def _handled_at_next_call(self, messages: list[Message]) -> None:
        self._acknowledge_last()
        self._returned_last = messages

    def _acknowledge_last(self) -> None:
        self.acknowledge(self._returned_last)
        self._returned_last = []


def _noted(messages: list[Message]) -> list[Message]:
    if (recorded := current_arrivals()) is not None:
        recorded.note(messages)
    return messages


@contextmanager
def _noted_wait(sender: str | None, timeout: float | None) -> Iterator[list[Message]]:
    """Note how long the block waited, and what ended it; messages that came are added to the list."""
    started_at, came = utc_now(), list[Message]()
    ended_by: Literal["message", "timeout", "teammate_gone", "interrupted"] = "interrupted"
    try:
        yield came
        ended_by = "message" if came else "timeout"
    except TeammateGoneError:
        ended_by = "teammate_gone"
        raise
    finally:
        current_activity().add(
            WaitSpan(started_at=started_at, ended_at=utc_now(), sender=sender, timeout=timeout, ended_by=ended_by)
        )
