"""The host's side of the supervisor. It runs commands in a sandbox exactly once, whatever happens to the connection.

Two supervisors share one layout of results on the sandbox's disk:

- the resident one (`inside/exec_agent.py` and its parts): one stream for all commands, where the image has Python;
- the one-shot one (`inside/supervisor.sh`): one `run` of the transport per command.

When a stream or a run fails, the same command id goes to the one-shot supervisor, which collects the result instead of running
the command twice.
"""

import json
import math
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from cooperbench.environments.command import Command, CommandResult
from cooperbench.environments.contract import FrameReader, HostsPrograms, RunReply, SeenFromOutside, Stream, Transport
from cooperbench.environments.scripts import END, LAUNCH, joined, without_comments
from cooperbench.errors import SandboxDamagedError, SandboxError, SandboxLostError, SilentSandboxError, TransportError

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE = 0.2
RESIDENT_STARTS = 5
"""The most restarts of a killed resident supervisor; after that every command is a run of its own."""
GRACE = 30.0
"""Seconds beyond a command's time limit for a supervisor to kill and answer; after that it counts as broken."""
START_SECONDS = 120.0
"""A failed start ends at once. This only bounds one that hangs on a busy machine."""

PARTS = ("changes.py", "execution.py", "processes.py", "exec_agent.py")
"""The files of the resident supervisor, each after those that it imports."""

SIGNALLED = 0.5
"""Seconds for a scheduler's signal, which goes to every process of a job in any order, to reach this one as well. Else the end of
the command would be taken for what came of it."""


class Supervisor:
    """Runs commands over one transport. Safe to use from several threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._resident: ResidentSupervisor | None = None
        self._starts_left = RESIDENT_STARTS if transport.resident else 0
        self._finished: list[str] = []

    def execute(self, command: Command) -> CommandResult:
        """Run one command. Raises `SandboxLostError`, or `TransportError` when the sandbox stays out of reach."""
        with self._lock:
            forget, self._finished = self._finished, []
        resident = self._start_resident()
        result = None
        if resident is not None:
            try:
                result = resident.execute(command, forget)
            except TransportError:
                self._drop(resident)
        if result is None:
            try:
                result = self.repeatedly(lambda: self._one_shot(command, forget))
            except SandboxDamagedError as error:  # its engine does what it is asked: the shell is the agent's doing
                result = CommandResult.of_damage(error.message)
            except SilentSandboxError:
                if not self._works_outside():
                    raise
                result = CommandResult(None, True, 0, b"", b"")  # what watches the command was stopped from inside
        self.ended(command, result)
        return result

    def ended(self, command: Command, result: CommandResult) -> None:
        """Let the next command remove what is left of a finished one."""
        if result.terminated and self._transport.below_us:
            time.sleep(SIGNALLED)
        with self._lock:
            self._finished.append(command.identifier)

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run a short argv that may safely run twice."""
        resident = self._start_resident()
        if resident is not None:
            try:
                return resident.run(argv, stdin, timeout)
            except TransportError:
                self._drop(resident)
        return self.repeatedly(lambda: self._transport.run(argv, stdin=stdin, timeout=timeout))

    def close(self) -> None:
        """Free the stream. The transport ends what still runs in the sandbox."""
        with self._lock:
            resident, self._resident, self._starts_left = self._resident, None, 0
        if resident is not None:
            resident.close()

    def _start_resident(self) -> "ResidentSupervisor | None":
        with self._lock:
            if self._resident is None and self._starts_left > 0:
                try:
                    self._resident = ResidentSupervisor.start(self._transport)
                    self._starts_left = self._starts_left - 1 if self._resident is not None else 0
                except (TransportError, SandboxDamagedError):
                    self._starts_left -= 1
            return self._resident

    def _drop(self, resident: "ResidentSupervisor") -> None:
        with self._lock:
            if self._resident is resident:
                self._resident = None
        resident.close()

    def _one_shot(self, command: Command, forget: list[str]) -> CommandResult:
        script = command.as_script()
        seconds = str(max(1, math.ceil(command.timeout)))
        words = [command.identifier, seconds, str(command.output_limit), command.cwd, str(len(script))]
        reply = self._transport.run(
            ["sh", "-c", supervisor_script(), "cooperbench", *words, " ".join(forget)],
            stdin=script,
            timeout=command.timeout + GRACE,
        )
        return CommandResult.parse(reply)

    def repeatedly(self, action: Callable[[], T]) -> T:
        """Try until the transport gets through or the engine says that the sandbox is gone."""
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except SandboxDamagedError:
                if attempt > 0:  # once may be a lack of processes or a torn connection
                    raise
                time.sleep(FIRST_PAUSE)
            except SilentSandboxError:
                raise  # the next attempt would take as long
            except TransportError as error:
                if self._is_gone():
                    raise SandboxLostError(f"the sandbox is gone: {error.message}", subject=error.subject) from error
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(FIRST_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def outside(self, action: Callable[[], RunReply]) -> RunReply:
        """Do something to the files from outside. Raises `SandboxDamagedError` where these never come to an end."""
        try:
            return self.repeatedly(action)
        except SilentSandboxError as error:
            if self._works_outside():
                raise SandboxDamagedError(f"its files have no end: {error.message}", subject=error.subject) from error
            raise

    def _works_outside(self) -> bool:
        """Return whether the engine runs programs as fast as ever, so that it is the sandbox that does not answer."""
        try:
            if isinstance(self._transport, SeenFromOutside):
                self._transport.run_outside(["true"], timeout=START_SECONDS)
            else:
                self._transport.run(["true"], timeout=START_SECONDS)
        except SandboxError:
            return False
        return True

    def _is_gone(self) -> bool:
        try:
            return not self._transport.alive()
        except TransportError:
            return False  # unreachable is not gone: only the engine knows


class ResidentSupervisor:
    """One running resident supervisor: many commands at a time over one stream. Safe to use from several threads."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = FrameReader(stream)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._waiting: dict[str, Future[CommandResult]] = {}
        self._broken: TransportError | None = None

    @classmethod
    def start(cls, transport: Transport) -> "ResidentSupervisor | None":
        """Start one in a sandbox; `None` when its image has no Python 3. Raises `TransportError`."""
        program = joined(*PARTS) + END
        if isinstance(transport, HostsPrograms):
            stream, to_send = transport.open_program(program), b""
        else:
            stream, to_send = transport.open(["sh", "-c", LAUNCH]), program.encode()
        resident = cls(stream)
        impatience = threading.Timer(START_SECONDS, stream.close)
        impatience.daemon = True
        impatience.start()
        try:
            # Without Python the shell has answered and ended, perhaps before it read everything.
            with suppress(TransportError):
                stream.write(to_send)
            greeting = resident._frames.read_line()
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

    def execute(self, command: Command, forget: list[str]) -> CommandResult:
        """Run one command. Raises `TransportError` when the stream breaks; the command may have run, or still run."""
        text = command.encoded()
        request = {
            "id": command.identifier,
            "timeout": command.timeout,
            "limit": command.output_limit,
            "cwd": command.cwd,
            "env": command.env,
            "path": command.path,
            "watch": command.watch,
            "forget": forget,
            "size": len(text),
        }
        return self._ask(request, text, command.timeout + GRACE)

    def run(self, argv: list[str], stdin: bytes, timeout: float) -> RunReply:
        """Run a small program that may run twice, with all of its output. Raises `TransportError`."""
        request = {"id": uuid.uuid4().hex[:16], "argv": argv, "size": len(stdin)}
        result = self._ask(request, stdin, timeout)
        assert result.code is not None, "the resident supervisor has watched to the end"
        return RunReply(result.code, result.head, result.tail)

    def close(self) -> None:
        """Close the stream. Running commands continue."""
        self._stream.close()

    def _ask(self, request: dict[str, Any], payload: bytes, seconds: float) -> CommandResult:
        answer: Future[CommandResult] = Future()
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._waiting[request["id"]] = answer
        try:
            with self._sending:
                self._stream.write(json.dumps(request).encode() + b"\n" + payload)
            return answer.result(seconds)
        except TimeoutError as error:
            raise TransportError("the supervisor in the sandbox does not answer") from error
        finally:
            with self._lock:
                self._waiting.pop(request["id"], None)

    def _listen(self) -> None:
        try:
            while True:
                header: dict[str, Any] = json.loads(self._frames.read_line())
                result = None
                if "refused" not in header:
                    head, tail = self._frames.read(header["head"]), self._frames.read(header["tail"])
                    changed = header.get("changed")
                    result = CommandResult(
                        header["status"],
                        header["timed_out"],
                        header["total"],
                        head,
                        tail,
                        None if changed is None else tuple(map(str, changed)),
                    )
                with self._lock:
                    answer = self._waiting.pop(header["id"], None)
                if answer is not None and result is not None:
                    answer.set_result(result)
                elif answer is not None:
                    answer.set_exception(TransportError("the supervisor in the sandbox refused the command"))
        except (TransportError, ValueError, KeyError) as error:
            with self._lock:
                self._broken = TransportError(f"the stream to the sandbox broke: {error}")
                waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                answer.set_exception(self._broken)


@cache
def supervisor_script() -> str:
    """Return the text of the one-shot supervisor."""
    return without_comments("supervisor.sh")
