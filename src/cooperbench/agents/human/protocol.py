"""What a terminal and the process of its member say to each other through a socket of this machine.

The member's process first says how the terminal has to behave: `RAW` when the sandbox has a terminal of its own, else `LINES`.
Then it sends what is to be shown, and hangs up at the end. The terminal sends frames: what was typed, and its size.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

RAW, LINES = b"r", b"l"
TYPED, SIZE = b"t", b"s"
_HEAD = struct.Struct("!cI")
_LARGEST = 1 << 20


class TerminalSize(NamedTuple):
    """Characters that a terminal shows."""

    rows: int
    columns: int


class TerminalFrame(NamedTuple):
    """A part of what the terminal sends."""

    kind: bytes
    data: bytes

    @property
    def size(self) -> TerminalSize:
        """The size in a frame of that kind."""
        return TerminalSize(*struct.unpack("!HH", self.data))


def send_typed(connection: socket.socket, data: bytes) -> None:
    """Send what was typed; nothing at the end of the input."""
    connection.sendall(_HEAD.pack(TYPED, len(data)) + data)


def send_size(connection: socket.socket, size: TerminalSize) -> None:
    """Send the size of the terminal: first, and when it changes."""
    data = struct.pack("!HH", *size)
    connection.sendall(_HEAD.pack(SIZE, len(data)) + data)


def frames(connection: socket.socket) -> Iterator[TerminalFrame]:
    """Yield what the terminal sends until it hangs up."""
    with suppress(OSError):
        while len(head := _read(connection, _HEAD.size)) == _HEAD.size:
            kind, size = _HEAD.unpack(head)
            if size > _LARGEST:
                return
            yield TerminalFrame(kind, _read(connection, size))


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data
