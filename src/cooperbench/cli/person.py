"""Give this terminal to a person who is a member of a run."""

import os
import selectors
import shutil
import socket
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.agents.human.protocol import RAW, TerminalSize, send_size, send_typed
from cooperbench.records.live import LiveEpisode

_CHUNK = 1 << 16
_LOOK = 0.5
"""Seconds between looks at the terminal's size."""
_PATIENCE = 0.8
"""Seconds from the first place that waits to the moment when it is taken: others may be about to wait."""


class FreePlace(NamedTuple):
    """A member's place that waits for a person."""

    episode: str
    agent_id: str
    path: Path

    def how_to_join(self, run: str) -> str:
        """Return the line that tells a second person what to type."""
        return f"{self.agent_id} of {self.episode} waits for a person; in another terminal: cooperbench runs join {run} {self.agent_id}"


def has_terminal() -> bool:
    """Return whether somebody can type here and read the answers."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def free_places(live: list[LiveEpisode]) -> list[FreePlace]:
    """Find the places of a run that wait for a person."""
    return [
        FreePlace(str(episode.group), agent, Path(progress.terminal))
        for episode in live
        for agent, progress in episode.progress.items()
        if progress is not None and progress.terminal is not None
    ]


def take_place(place: FreePlace) -> bool:
    """Connect this terminal with the member's shell until the work ends. Return false when somebody else was faster."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(place.path))
            send_size(connection, _size())
            mode = connection.recv(1)
        except OSError:
            return False
        if not mode:
            return False
        with suppress(OSError), _terminal(raw=mode == RAW):
            _pass_on(connection)
    return True


class PersonDesk:
    """Seats one person after another at this terminal, while a run goes on."""

    def __init__(self, run: str, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._run = run
        self._before = before
        self._after = after
        self._seen: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def taken(self) -> bool:
        """True while somebody works at this terminal: nothing else may print."""
        return self._thread is not None and self._thread.is_alive()

    def look(self, live: list[LiveEpisode], now: float) -> None:
        """Let a person take the first place that waits, if there is one. `now` is in seconds, of a clock that never goes back."""
        if self.taken or not has_terminal():
            return
        places = free_places(live)
        if not places:
            self._seen = None
            return
        self._seen = self._seen or now
        if now - self._seen < _PATIENCE:
            return
        self._seen = None
        self._thread = threading.Thread(target=self._work, args=(places,), name="person", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until the terminal is free."""
        if self._thread is not None:
            self._thread.join()

    def _work(self, places: list[FreePlace]) -> None:
        self._before()
        try:
            for other in places[1:]:
                print(other.how_to_join(self._run), file=sys.stderr)
            take_place(places[0])
        finally:
            self._after()


@contextmanager
def _terminal(*, raw: bool) -> Iterator[None]:
    """Pass every key on, or where the sandbox has no terminal, each line; Ctrl-C interrupts nothing here."""
    before = termios.tcgetattr(sys.stdin)
    try:
        if raw:
            tty.setraw(sys.stdin)
        else:
            lines: list[Any] = termios.tcgetattr(sys.stdin)
            lines[3] &= ~termios.ISIG
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, lines)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pass_on(connection: socket.socket) -> None:
    size = _size()
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(_LOOK)}
            if connection in ready:
                printed = connection.recv(_CHUNK)
                if not printed:
                    return
                _print(printed)
            if sys.stdin in ready:
                typed = os.read(sys.stdin.fileno(), _CHUNK)
                send_typed(connection, typed)
                if not typed:
                    selector.unregister(sys.stdin)
            if size != (size := _size()):
                send_size(connection, size)


def _print(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stderr.fileno(), data) :]


def _size() -> TerminalSize:
    columns, rows = shutil.get_terminal_size()
    return TerminalSize(rows, columns)
