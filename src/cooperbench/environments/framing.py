"""Lines and counted bytes out of a stream of bytes: the frame of every protocol that we speak with a sandbox."""

from cooperbench.environments.contract import Stream
from cooperbench.errors import TransportError

_CHUNK = 1 << 16


class FrameReader:
    """Reads from one stream, by one thread. Every method raises `TransportError` at the stream's end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        data = self._stream.read(_CHUNK)
        if not data:
            raise TransportError("the stream to the sandbox ended")
        self._buffer += data
