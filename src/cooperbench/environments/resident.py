"""Talks to the resident supervisor: many commands at a time over one stream."""

import json
import threading
import uuid
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from cooperbench.environments.contract import HostsPrograms, RunReply, Stream, Transport
from cooperbench.environments.framing import FrameReader
from cooperbench.errors import TransportError

if TYPE_CHECKING:
    from cooperbench.environments.supervision import Order

START_SECONDS = 120.0
"""A start that fails ends at once. This only bounds one that hangs: a busy machine is slow, not broken."""
ANSWER_SECONDS = 30.0
"""Seconds beyond a command's limit after which a silent resident supervisor counts as broken."""

# -I and -S: neither the image's configuration nor its site-packages take part. The locale must reach commands as the image has it.
LAUNCH = """command -v python3 >/dev/null 2>&1 || { echo none; exit 0; }
PYTHONCOERCECLOCALE=0 exec python3 -I -S -c 'import os
text = b""
while len(text) < %d:
    text += os.read(0, %d - len(text))
exec(compile(text, "<cooperbench>", "exec"))'
"""


class Answer(NamedTuple):
    """The fields of an `Outcome`."""

    code: int
    timed_out: bool
    total: int
    head: bytes
    tail: bytes


class Resident:
    """One running resident supervisor. Safe to use from several threads."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = FrameReader(stream)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._waiting: dict[str, _Slot] = {}
        self._broken: TransportError | None = None

    @classmethod
    def start(cls, transport: Transport) -> "Resident | None":
        """Start one in a sandbox; `None` when its image has no Python 3. Raises `TransportError`."""
        agent = files("cooperbench.environments").joinpath("inside/exec_agent.py").read_bytes()
        if isinstance(transport, HostsPrograms):
            stream, to_send = transport.open_program(agent.decode()), b""
        else:
            stream, to_send = transport.open(["sh", "-c", LAUNCH % (len(agent), len(agent))]), agent
        resident = cls(stream)
        impatience = threading.Timer(START_SECONDS, stream.close)
        impatience.daemon = True
        impatience.start()
        try:
            with suppress(
                TransportError
            ):  # without Python the other side has said so and gone, perhaps before it read all
                stream.write(to_send)
            greeting = resident._frames.line()
        except TransportError:
            stream.close()
            raise
        finally:
            impatience.cancel()
        if greeting != b"ready":
            stream.close()
            return None
        threading.Thread(target=resident._listen, name="cooperbench-resident", daemon=True).start()
        return resident

    def execute(self, order: "Order", forget: list[str]) -> Answer:
        """Run one command. Raises `TransportError` when the stream breaks; the command may have run, or still run."""
        command = order.command.encode("utf-8", "surrogateescape")
        request = {
            "id": order.identifier,
            "timeout": order.timeout,
            "limit": order.limit,
            "cwd": order.cwd,
            "env": order.env,
            "path": order.path,
            "forget": forget,
            "size": len(command),
        }
        return self._ask(order.identifier, request, command, order.timeout + ANSWER_SECONDS)

    def run(self, argv: list[str], stdin: bytes, timeout: float) -> RunReply:
        """Run a small program that may run twice, with all of its output. Raises `TransportError`."""
        identifier = uuid.uuid4().hex[:16]
        answer = self._ask(identifier, {"id": identifier, "argv": argv, "size": len(stdin)}, stdin, timeout)
        return RunReply(answer.code, answer.head, answer.tail)

    def _ask(self, identifier: str, request: dict[str, Any], payload: bytes, seconds: float) -> Answer:
        slot = _Slot()
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._waiting[identifier] = slot
        try:
            with self._sending:
                self._stream.write(json.dumps(request).encode() + b"\n" + payload)
            if not slot.done.wait(seconds):
                raise TransportError("the supervisor in the sandbox is silent")
        finally:
            with self._lock:
                self._waiting.pop(identifier, None)
        if slot.answer is None:
            raise TransportError("the supervisor in the sandbox broke off or refused")
        return slot.answer

    def close(self) -> None:
        """Close the stream. Commands that run go on."""
        self._stream.close()

    def _listen(self) -> None:
        try:
            while True:
                header: dict[str, Any] = json.loads(self._frames.line())
                if "refused" in header:
                    self._deliver(header["id"], None)
                    continue
                head, tail = self._frames.take(header["head"]), self._frames.take(header["tail"])
                answer = Answer(header["status"], header["timed_out"], header["total"], head, tail)
                self._deliver(header["id"], answer)
        except (TransportError, ValueError, KeyError) as error:
            with self._lock:
                self._broken = TransportError(f"the stream to the sandbox broke: {error}")
                waiting, self._waiting = self._waiting, {}
            for slot in waiting.values():
                slot.done.set()

    def _deliver(self, identifier: str, answer: Answer | None) -> None:
        with self._lock:
            slot = self._waiting.get(identifier)
        if slot is not None:
            slot.answer = answer
            slot.done.set()


class _Slot:
    """Where a waiting thread finds its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.answer: Answer | None = None
