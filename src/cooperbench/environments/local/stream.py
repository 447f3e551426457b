"""A process of a local sandbox with its stdin and stdout."""

import contextlib
import socket

from cooperbench.errors import TransportError


class LocalStream:
    """One end of a socket pair whose other end is the process's stdin and stdout."""

    def __init__(self, data: socket.socket, control: socket.socket) -> None:
        self._data = data
        self._control = control

    def read(self, size: int) -> bytes:
        """Block, and return at most `size` bytes; empty at the end."""
        try:
            return self._data.recv(size)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Write all. Raises `TransportError`."""
        try:
            self._data.sendall(data)
        except OSError as error:
            raise TransportError(f"the stream to the sandbox broke: {error}") from error

    def close(self) -> None:
        """Hang up."""
        for end in (self._data, self._control):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
