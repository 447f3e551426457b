"""A process of a local sandbox with its stdin and stdout, and the place of the socket that starts it."""

import contextlib
import os
import socket
import tempfile
from pathlib import Path

from cooperbench.errors import SandboxError, TransportError


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


def socket_folder() -> Path:
    """Make a short private folder: the kernel limits the path of a socket to 108 bytes."""
    name = f"cooperbench-{os.getuid()}"
    folder = Path(tempfile.gettempdir()) / name
    if len(str(folder)) > 70:
        folder = Path("/tmp") / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise SandboxError(
            f"{folder} belongs to another user", subject=str(folder), hint="set TMPDIR to your own folder"
        )
    return folder
