"""The place where a person's terminal meets the member's process: a socket that only this user can open."""

import os
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cooperbench.agents.human.protocol import LINES, RAW, SIZE, TerminalSize, frames
from cooperbench.agents.human.shell import PersonShell
from cooperbench.errors import TransportError
from cooperbench.records import scratch_dir

_CHUNK = 1 << 16
_LONGEST_LOG = 20_000_000
_DEFAULT_SIZE = TerminalSize(24, 80)
_PATIENCE = 5.0
"""Seconds for what was printed last to arrive."""


class PersonTerminal:
    """Waits for one person, and connects their terminal with a shell."""

    def __init__(self) -> None:
        # Not in the record: the address of a socket has at most 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="person-", dir=scratch_dir()))
        self.path = folder / "terminal"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._sending = threading.Lock()
        self._raw = True
        self.size = _DEFAULT_SIZE
        self.left = threading.Event()
        """Set when the shell has ended, or the person has hung up."""

    def wait_for_person(self) -> None:
        """Block until a terminal has connected and told its size. Later ones find nobody."""
        self._connection, _ = self._listener.accept()
        self._listener.close()
        self.path.unlink(missing_ok=True)
        first = next(frames(self._connection), None)
        if first is not None and first.kind == SIZE:
            self.size = first.size

    def connect(self, shell: PersonShell, greeting: str, log: Path | None) -> None:
        """Greet, then pass on what is typed and what is printed until one side ends. What is printed is also logged."""
        assert self._connection is not None
        self._raw = shell.has_terminal
        self._send(RAW if self._raw else LINES)
        self.show(greeting)
        for action in (self._pass_on_typed, self._pass_on_printed):
            threading.Thread(target=action, args=(shell, log), name=action.__name__, daemon=True).start()

    def show(self, text: str) -> None:
        """Print lines of the harness."""
        lines = f"{text}\n"
        self._send((lines.replace("\n", "\r\n") if self._raw else lines).encode("utf-8", "replace"))

    def close(self) -> None:
        """Hang up. Twice is fine."""
        self._listener.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
                self._connection.settimeout(_PATIENCE)
                while self._connection.recv(_CHUNK):  # until the terminal has hung up too
                    pass
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        with self._sending:
            try:
                self._connection.sendall(data)
            except OSError:
                self.left.set()

    def _pass_on_typed(self, shell: PersonShell, log: Path | None) -> None:
        assert self._connection is not None
        try:
            for frame in frames(self._connection):
                if frame.kind == SIZE:
                    shell.resize(frame.size)
                elif frame.data:
                    shell.stream.write(frame.data)
                else:
                    return
        except TransportError:
            return
        finally:
            self.left.set()

    def _pass_on_printed(self, shell: PersonShell, log: Path | None) -> None:
        logged = 0
        descriptor = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            while data := shell.stream.read(_CHUNK):
                self._send(data)
                if logged < _LONGEST_LOG:
                    logged += os.write(descriptor, data)
        except (TransportError, OSError):
            return
        finally:
            os.close(descriptor)
            self.left.set()
