"""The host's side of the supervisor: runs commands in a sandbox exactly once, whatever happens to the connection.

Two supervisors with one layout of results on the sandbox's disk: the resident one (`inside/exec_agent.py`, one stream for all
commands, where the image has Python) and the one-shot one (`inside/supervisor.sh`, a `run` of the transport per command). When
a stream or a run fails, the same exec id is delivered again through the one-shot supervisor, which collects instead of running
twice.
"""

import math
import re
import shlex
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import NamedTuple, TypeVar

from cooperbench.environments.contract import RunReply, Transport
from cooperbench.environments.resident import Resident
from cooperbench.errors import SandboxLostError, TransportError

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE = 0.2
RESIDENT_STARTS = 5
"""How often a killed resident supervisor is started again before every command becomes a run of its own."""
GRACE = 30.0
"""Seconds beyond a command's limit that the supervisor has for killing and answering."""


class Outcome(NamedTuple):
    """What a supervisor says of a command. `code` is `None` when the process that watched it was killed."""

    code: int | None
    timed_out: bool
    total: int
    head: bytes
    tail: bytes


@dataclass(frozen=True)
class Order:
    """One command with its conditions."""

    command: str
    timeout: float
    limit: int
    cwd: str
    env: dict[str, str]
    path: tuple[str, ...] = ()
    """Folders that come before the PATH that the command would have."""
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex[:16])


class Supervisor:
    """Runs orders over one transport. Safe to use from several threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._resident: Resident | None = None
        self._starts_left = RESIDENT_STARTS if transport.resident else 0
        self._finished: list[str] = []

    def execute(self, order: Order) -> Outcome:
        """Run one order. Raises `SandboxLostError`, or `TransportError` when the sandbox stays out of reach."""
        with self._lock:
            forget, self._finished = self._finished, []
        resident = self._start_resident()
        outcome = None
        if resident is not None:
            try:
                outcome = Outcome(*resident.execute(order, forget))
            except TransportError:
                self._drop(resident)
        if outcome is None:
            outcome = self._repeatedly(lambda: self._one_shot(order, forget))
        with self._lock:
            self._finished.append(order.identifier)
        return outcome

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run a short argv that may safely run twice."""
        resident = self._start_resident()
        if resident is not None:
            try:
                return resident.run(argv, stdin, timeout)
            except TransportError:
                self._drop(resident)
        return self._repeatedly(lambda: self._transport.run(argv, stdin=stdin, timeout=timeout))

    def close(self) -> None:
        """Free the stream; what still runs in the sandbox is the transport's to end."""
        with self._lock:
            resident, self._resident, self._starts_left = self._resident, None, 0
        if resident is not None:
            resident.close()

    def _start_resident(self) -> Resident | None:
        with self._lock:
            if self._resident is None and self._starts_left > 0:
                try:
                    self._resident = Resident.start(self._transport)
                    self._starts_left = self._starts_left - 1 if self._resident is not None else 0
                except TransportError:
                    self._starts_left -= 1
            return self._resident

    def _drop(self, resident: Resident) -> None:
        with self._lock:
            if self._resident is resident:
                self._resident = None
        resident.close()

    def _one_shot(self, order: Order, forget: list[str]) -> Outcome:
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in order.env.items())
        if order.path:
            exports += f"export PATH={shlex.quote(':'.join(order.path))}:$PATH\n"
        text = encode(exports + order.command + "\n")
        words = [order.identifier, str(max(1, math.ceil(order.timeout))), str(order.limit), order.cwd, str(len(text))]
        reply = self._transport.run(
            ["sh", "-c", supervisor_script(), "cooperbench", *words, " ".join(forget)],
            stdin=text,
            timeout=order.timeout + GRACE,
        )
        return parse(reply)

    def _repeatedly(self, action: Callable[[], T]) -> T:
        """Try until the transport gets through or the engine says that the sandbox is gone."""
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except TransportError as error:
                if self._is_gone():
                    raise SandboxLostError(f"the sandbox is gone: {error.message}", subject=error.subject) from error
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(FIRST_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def _is_gone(self) -> bool:
        try:
            return not self._transport.alive()
        except TransportError:
            return False  # out of reach is not gone: only the engine's word counts


@cache
def supervisor_script() -> str:
    """The text of the one-shot supervisor, without its comments."""
    text = files("cooperbench.environments").joinpath("inside/supervisor.sh").read_text(encoding="utf-8")
    return re.sub(r"(?m)^\s*#.*\n", "", text)


def encode(text: str) -> bytes:
    """Command text as bytes; file names that are not UTF-8 come back as they came."""
    return text.encode("utf-8", "surrogateescape")


def parse(reply: RunReply) -> Outcome:
    """Read the one-shot supervisor's answer. Raises `TransportError` when it is not one, or was cut."""
    first, _, body = reply.stdout.partition(b"\n")
    words = first.split()
    if words[:2] == [b"COOPERBENCH", b"lost"]:
        return Outcome(None, False, len(body), body, b"")
    if len(words) != 6 or words[0] != b"COOPERBENCH":
        said = (reply.stderr or reply.stdout)[:300].decode("utf-8", "replace").strip()
        raise TransportError(f"the supervisor did not answer (exit code {reply.returncode}): {said}")
    code, timed_out, total, head, tail = (int(word) for word in words[1:])
    if len(body) != head + tail:
        raise TransportError(f"the answer was cut: {len(body)} of {head + tail} bytes")
    return Outcome(code, bool(timed_out), total, body[:head], body[head:])
