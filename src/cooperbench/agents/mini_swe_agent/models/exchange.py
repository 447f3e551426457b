"""The answer to one request while it comes: what it holds so far, whether the model still talks, and how to end it.

A timeout bounds the whole answer. Those of HTTP clients hold for one read, so a server that sends a blank now and then keeps them waiting
without end. A model that still talks at the timeout has reached its own limit, and what it said counts; silence is the provider's.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from cooperbench.agents.budget import current_budget
from cooperbench.agents.mini_swe_agent.models.answers import EventReader, read_answer
from cooperbench.agents.mini_swe_agent.models.base import Completion
from cooperbench.errors import ModelAnswerError, ModelTimeoutError

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes."""
STALLED = 30.0
"""Seconds without a token after which a model no longer counts as talking, unless it has been that slow all along."""
CLOSING = 1.0
"""Seconds for the thread of an answer that was ended: it wakes up at once where its connection is known."""


class Exchange:
    """Reads one answer: bytes of a body, or events that a library has parsed. One thread reads it, another may end it."""

    def __init__(self) -> None:
        self._events = EventReader()
        self._body = bytearray()
        """The body, or of events the line that is not complete."""
        self._streamed: bool | None = None
        self._over = False
        self._heard_at = 0.0
        self._longest_gap = 0.0
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def connected(self, connection: object) -> None:
        """Take the connection that brings the answer, if it is known. An answer that is over needs it no more."""
        with self._lock:
            if isinstance(connection, socket.socket):
                self._connection = connection
            if self._over:
                self._hang_up()

    def take(self, data: bytes) -> bool:
        """Add a part of the body. Return whether to read on."""
        with self._lock:
            if self._over or not data:
                return False
            self._body += data
            if self._streamed is None and (start := bytes(self._body[:64]).lstrip()):
                self._streamed = start.startswith((b"data:", b"event:", b":", b"id:", b"error:", b"retry:"))
            if self._streamed:
                *lines, rest = self._body.split(b"\n")
                self._body = bytearray(rest)
                self._feed(lines)
            if len(self._body) > LARGEST_ANSWER:
                raise ModelAnswerError(f"the provider's answer is larger than {LARGEST_ANSWER} bytes")
        return not self._events.ended

    def take_event(self, event: dict[str, Any]) -> bool:
        """Add an event that a library has parsed. Return whether to read on."""
        with self._lock:
            if not self._over:
                self._streamed = True
                self._note(self._events.feed_event(event))
        return not self._over

    def end(self) -> None:
        """End the exchange, and wake up the thread that reads it."""
        with self._lock:
            self._over = True
            self._hang_up()

    def so_far(self, timeout: float) -> Completion | None:
        """Return what had come when the time was over, if the model was still talking; `None` for silence."""
        with self._lock:
            if self._events.said_why:  # complete, from a server that keeps the connection open
                return self._events.completion()
            patience = max(min(STALLED, timeout / 2), 2 * self._longest_gap)
            talking = self._events.started and time.monotonic() - self._heard_at <= patience
            return self._events.completion(cut=True) if talking else None

    @property
    def started(self) -> bool:
        """Whether a part of the answer has come."""
        return self._events.started

    @property
    def whole(self) -> bool:
        """Whether what has come can be executed: no call among it breaks off."""
        return self._events.started and self._events.calls_are_whole()

    def completion(self) -> Completion:
        """Return the whole answer. Raises `ModelError`."""
        with self._lock:
            if not self._streamed:
                return read_answer(self._body.decode("utf-8", "replace"))
            self._feed([bytes(self._body)])
            self._body.clear()
            return self._events.completion()

    def _feed(self, lines: list[bytearray] | list[bytes]) -> None:
        came = [self._events.feed(line.decode("utf-8", "replace").strip("\r")) for line in lines]
        self._note(any(came))

    def _note(self, came: bool) -> None:
        if came:
            now = time.monotonic()
            if self._heard_at:
                self._longest_gap = max(self._longest_gap, now - self._heard_at)
            self._heard_at = now
            current_budget().note_answering()

    def _hang_up(self) -> None:
        """Shut the connection down: closing it would not wake up a thread that reads from it."""
        if self._connection is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)


def answer_within(timeout: float, read: Callable[[Exchange], None]) -> Completion:
    """Return the answer that `read` reads into an exchange, cut if the model still talks after `timeout` seconds.

    Raises `ModelTimeoutError` when the model says nothing any more at that time.
    """
    exchange = Exchange()
    failures: list[BaseException] = []
    context = copy_context()

    def run() -> None:
        try:
            context.run(read, exchange)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="model call")
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        so_far = exchange.so_far(timeout)
        exchange.end()
        thread.join(CLOSING)
        if so_far is None:
            raise ModelTimeoutError(f"the model did not answer within {timeout:g} s")
        return so_far
    if failures:
        raise failures[0]
    return exchange.completion()
