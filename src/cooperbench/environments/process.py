"""A program that runs in a sandbox while its output is read: the result of `Environment.spawn`.

A shell inside (`inside/spawn.sh`) stays with the program, so that the exit code, the end of stderr and the killing of the whole
tree are the same on every backend. Nothing here reads ahead: a reader that stalls stalls the program.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Self

from cooperbench.environments.command import Command, CommandResult
from cooperbench.environments.contract import ExecuteResult, Stream
from cooperbench.environments.live_output import LiveOutput
from cooperbench.environments.scripts import without_comments
from cooperbench.environments.supervision import Supervisor
from cooperbench.errors import SandboxError, SandboxLostError, TransportError, UsageError
from cooperbench.records import utc_now
from cooperbench.records.activity import CommandSpan

CHUNK = 1 << 16
KILL_SECONDS = 60.0
GRACE = 15.0
"""Seconds from the killing of a program until its stream counts as broken."""
WAS_CUT = """here=/tmp/.cooperbench/$1
[ -e "$here/hung-up" ] || [ -e "$here/ended" ] || kill -0 "$(cat "$here/supervisor")" 2>/dev/null
cut=$?
kill_tree "$1"
exit $cut
"""
"""Ends a program whose stream ended without a report. Succeeds if it was the connection that broke."""


class Process:
    """A program in a sandbox. Iterate over it for the lines of its stdout as they come.

    Use it as a context manager: at the end of the block the program and everything that it started is killed, whatever happened.
    One thread reads; `write`, `close_stdin` and `kill` may be called from others.
    """

    def __init__(
        self,
        open_stream: Callable[[str], Stream],
        supervisor: Supervisor,
        command: Command,
        stdin: bytes | None,
        observers: list[Callable[[CommandSpan], None]],
    ) -> None:
        self._supervisor = supervisor
        self._command = command
        self._observers = observers
        self._nonce = uuid.uuid4().hex
        self._output = LiveOutput(self._nonce, command.output_limit)
        self._sending = threading.Lock()
        self._timed_out = False
        self._result: ExecuteResult | None = None
        self._stdin_open = stdin is None
        self.stderr = ""
        """The last 16 KiB of the program's stderr, once it has ended."""
        self._started_at, self._begun = utc_now(), time.monotonic()
        self._stream = open_stream(_inside())
        self._timer: threading.Timer | None = None
        try:
            self._send_command(stdin)
            if command.timeout != float("inf"):
                self._timer = _later(command.timeout, self._expire)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[str]:
        """Yield the lines of stdout as they come, without their ends. Raises what `wait` raises."""
        while True:
            line = self._output.take_line(ended=self._result is not None)
            if line is not None:
                yield line.decode("utf-8", "replace")
            elif self._result is not None:
                return
            else:
                self._read()

    def wait(self) -> ExecuteResult:
        """Wait for the end, dropping lines that nobody has read, and return the result; `output` is stdout alone.

        Raises `SandboxLostError` when the sandbox is gone, and `TransportError` when the connection broke, which ends the program.
        """
        while self._result is None:
            self._output.drop_lines()
            self._read()
        return self._result

    @property
    def returncode(self) -> int | None:
        """The exit code, once the end was read: as in `ExecuteResult`."""
        return None if self._result is None else self._result["returncode"]

    def write(self, data: bytes) -> None:
        """Write to the stdin of a program that was spawned with `stdin=None`. Raises `TransportError` when its stream is broken."""
        if not self._stdin_open:
            raise UsageError("the program's stdin is closed; spawn it with stdin=None to write to it")
        if data:
            with self._sending:
                self._stream.write(b"%d\n" % len(data) + data)

    def close_stdin(self) -> None:
        """Let the program read end of file. Twice is fine."""
        with self._sending:
            if self._stdin_open:
                self._stdin_open = False
                with suppress(TransportError):
                    self._stream.write(b"0\n")

    def kill(self) -> None:
        """Kill the program and everything that it started. Its result follows as after any other end."""
        if self._result is None:
            with suppress(SandboxLostError):
                script = f'{_killing()}\nkill_tree "$1"'
                self._supervisor.run(["sh", "-c", script, "sh", self._command.identifier], timeout=KILL_SECONDS)

    def close(self) -> None:
        """Kill what still runs and free the stream. Twice is fine."""
        if self._result is None:
            limit = _later(GRACE, self._stream.close)
            with suppress(SandboxError):
                self.kill()
                self.wait()
            limit.cancel()
        self._end_timer()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send_command(self, stdin: bytes | None) -> None:
        script = self._command.as_script()
        given = "-" if stdin is None else str(len(stdin))
        header = f"{self._nonce} {self._command.identifier} {len(script)} {given} {self._command.cwd}\n"
        with suppress(TransportError):  # the end of the stream says more
            self._stream.write(header.encode("utf-8", "surrogateescape") + script + (stdin or b""))

    def _read(self) -> None:
        """Take in some output, or the end."""
        data = self._stream.read(CHUNK)
        if not data:
            self._output.end_of_stream()
            self._finish(self._code_of_lost(), b"")
            return
        self._output.feed(data)
        ending = self._output.ending()
        if ending is not None:
            self._finish(ending.code, ending.stderr)
            # What background children write to the same place is dropped, and does not end them.
            threading.Thread(target=self._drain, name="cooperbench-drain", daemon=True).start()

    def _finish(self, code: int | None, stderr: bytes) -> None:
        self._end_timer()
        seconds = time.monotonic() - self._begun
        output = self._output
        self.stderr = stderr.decode("utf-8", "replace")
        code = 124 if self._timed_out else code
        result = CommandResult(code, self._timed_out, output.total, bytes(output.head), output.last())
        self._supervisor.ended(self._command, result)
        for observe in self._observers:
            observe(result.as_span(self._command.text, self._started_at, seconds))
        self._result = result.as_execute_result(seconds)

    def _code_of_lost(self) -> int | None:
        """Return `None` when what watched the program was killed from inside. Raises the error of a broken connection."""
        argv = ["sh", "-c", f"{_killing()}\n{WAS_CUT}", "sh", self._command.identifier]
        cut = self._supervisor.run(argv, timeout=KILL_SECONDS).returncode == 0
        if cut and not self._timed_out:
            self._end_timer()
            raise TransportError("the connection to a program in the sandbox broke")
        return None

    def _expire(self) -> None:
        self._timed_out = True
        limit = _later(GRACE, self._stream.close)
        with suppress(SandboxError):
            self.kill()
        self._timer = limit

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _drain(self) -> None:
        while self._stream.read(CHUNK):
            pass
        self._stream.close()


def _later(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), action)
    timer.daemon = True
    timer.start()
    return timer


@cache
def _killing() -> str:
    return without_comments("kill.sh")


@cache
def _inside() -> str:
    return f"{_killing()}\n{without_comments('spawn.sh')}"
