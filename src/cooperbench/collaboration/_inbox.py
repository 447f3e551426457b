"""Read one member's messages: each goes to one reader, or to the next one when that reader dies before handling it.

A reader's token names its process, so that the next reader can look whether it is still alive.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from cooperbench.collaboration import presence
from cooperbench.collaboration._store import Store
from cooperbench.collaboration.message import HARNESS, Message, from_entry
from cooperbench.errors import TeammateGoneError

_BATCH_MESSAGES = 1000
_BATCH_BYTES = 8 * 1024 * 1024
_BLOCK_SECONDS = 10.0
"""The longest single wait, so that a connection which broke silently is noticed."""


class _Batch(NamedTuple):
    messages: list[Message]
    tails: dict[str, str]
    """The last entry of each stream when the messages were taken."""


class Inbox:
    """One reader of a member's messages. Safe to use from several threads."""

    def __init__(self, store: Store, prefix: str, agent_id: str, teammates: Sequence[str]) -> None:
        self._store = store
        self._prefix = prefix
        self._agent_id = agent_id
        self._teammates = teammates
        self._token = _new_token()
        self._lock = threading.Lock()
        self._in_flight: dict[int, Message] = {}
        self._looked_for_dead_readers = False
        self._closed = threading.Event()

    def take(self, from_: str | None) -> list[Message]:
        """Return new messages, from one teammate or from anyone. They stay in flight until acknowledged or released."""
        return self._take(self._senders(from_)).messages

    def look(self) -> list[Message]:
        """Return what `take` would return, and leave it unread."""
        return self._take(self._senders(None), mode="look").messages

    def wait(
        self, from_: str | None, timeout: float | None, *, answer: str = "", stop: threading.Event | None = None
    ) -> list[Message]:
        """Wait for what `take` returns, or for the answer to the question with the id `answer`. Raises `TeammateGoneError`."""
        senders = self._senders(from_)
        deadline = None if timeout is None else time.monotonic() + timeout
        batch = self._take(senders, answer=answer)
        if batch.messages:
            return batch.messages
        with self._shown_as_waiting(from_):
            while not batch.messages:
                gone = presence.farewells(self._store, self._prefix, [from_] if from_ else self._teammates)
                if len(gone) == (1 if from_ else len(self._teammates)):
                    return self._last_words(senders, gone, answer)
                remaining = _BLOCK_SECONDS if deadline is None else deadline - time.monotonic()
                if remaining <= 0:
                    break
                self._store.block(batch.tails, min(remaining, _BLOCK_SECONDS))
                if self._closed.is_set() or (stop is not None and stop.is_set()):
                    break
                batch = self._take(senders, answer=answer)
        return batch.messages

    def wake(self) -> None:
        """Make everyone who waits on this inbox look again, also at `stop`."""
        self._store.command("XADD", self._own("poke"), "MAXLEN", 1, "*", "x", 1)

    def close(self) -> None:
        """End all waiting."""
        self._closed.set()
        self.wake()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Mark messages as handled; they will not come again."""
        if messages:
            self._store.command("HDEL", self._own("inflight"), *(message.sequence for message in messages))
            for message in messages:
                self._in_flight.pop(message.sequence, None)

    def release(self, messages: Sequence[Message]) -> None:
        """Give messages back for the next reader."""
        if messages:
            sequences = [message.sequence for message in messages]
            self._store.run("release", self._prefix, self._agent_id, "+", 1, self._token, *sequences)
            for sequence in sequences:
                self._in_flight.pop(sequence, None)

    def _senders(self, from_: str | None) -> list[str]:
        return [from_] if from_ else [*self._teammates, HARNESS]

    def _own(self, name: str) -> str:
        return f"{self._prefix}own:{self._agent_id}:{name}"

    def _stream(self, sender: str) -> str:
        return f"{self._prefix}mail:{sender}:{self._agent_id}"

    def _take(self, senders: list[str], *, answer: str = "", mode: Literal["take", "look"] = "take") -> _Batch:
        # One at a time: `_forget_lost_reply` must not give back what another thread has just received.
        with self._lock:
            if mode == "take":
                self._take_over_from_dead_readers()
            entries, tails = self._store.run(
                "take",
                self._prefix,
                self._agent_id,
                self._token,
                _BATCH_MESSAGES,
                _BATCH_BYTES,
                answer,
                mode,
                *senders,
                before_retry=self._forget_lost_reply,
            )
            messages = [
                from_entry(sender.decode(), place, dict(zip(fields[::2], fields[1::2], strict=True)))
                for sender, place, fields in entries
            ]
            if mode == "take":
                self._in_flight.update({message.sequence: message for message in messages})
        streams = [*(self._stream(sender) for sender in [*senders, HARNESS]), self._own("poke")]
        return _Batch(messages, {name: tail.decode() for name, tail in zip(streams, tails, strict=True)})

    def _take_over_from_dead_readers(self) -> None:
        if self._looked_for_dead_readers:
            return
        places = self._store.command("HVALS", self._own("inflight"))
        dead = [token for token in {place.decode().split()[0] for place in places} if _is_dead(token)]
        if dead:
            self._store.run("release", self._prefix, self._agent_id, "-", len(dead), *dead)
        self._looked_for_dead_readers = True

    def _forget_lost_reply(self) -> None:
        # The broker may have handed out messages in a reply that never arrived here.
        self._store.run("release", self._prefix, self._agent_id, "-", 1, self._token, *self._in_flight)

    def _last_words(self, senders: list[str], gone: dict[str, str], answer: str) -> list[Message]:
        # They may have sent something after the last look.
        messages = self._take(senders, answer=answer).messages
        if not messages:
            raise TeammateGoneError(f"no message will come: {'; '.join(gone.values()) or 'you have no teammates'}")
        return messages

    @contextmanager
    def _shown_as_waiting(self, whom: str | None) -> Iterator[None]:
        now = f"{int(time.time() * 1e6)}"
        self._store.command("HSET", self._own("status"), "waiting", f"{whom or 'anyone'} {now}")
        try:
            yield
        finally:
            self._store.command("HDEL", self._own("status"), "waiting")


def _new_token() -> str:
    """Name one reader of this process."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{uuid.uuid4().hex}"


def _is_dead(token: str) -> bool:
    """Return whether the process that a token names has ended.

    A reader on another machine counts as ended: a member works in one place at a time, so a reader elsewhere was abandoned.
    """
    host, pid, started, _ = token.rsplit("/", 3)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # Process ids are reused; the start time tells two processes apart where the system shows it.
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "0"
    fields = status.rpartition(")")[2].split()
    # A zombie is dead.
    return "dead" if fields[0] == "Z" else fields[19]
