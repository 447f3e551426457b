"""Byte streams on which the gateway speaks HTTP: what `Environment.serve` hands over, and plain sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cooperbench.environments import Stream
from cooperbench.errors import TransportError

ENDING = 2.0
"""Seconds for a connection to end when nobody listens any more."""
Handler = Callable[[Stream], None]
"""Answers one connection until it ends."""


class SocketStream:
    """A socket as a stream."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, size: int) -> bytes:
        """Block until a byte arrives, and return at most `size` bytes; empty at the end."""
        try:
            return self._connection.recv(size)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises `TransportError` when the other side is gone."""
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise TransportError(f"the connection has ended: {error}") from error

    def close(self) -> None:
        """End the connection, and wake up a reader in another thread. Twice is fine."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class _Connections:
    """The connections of a listener, each answered in its own thread."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._open: dict[threading.Thread, SocketStream] = {}

    def accept(self, listener: socket.socket) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = SocketStream(connection)
                thread = threading.Thread(target=self._answer, args=(stream,), daemon=True, name="model gateway")
                self._open[thread] = stream
                thread.start()

    def close(self) -> None:
        """End all connections."""
        for thread, stream in list(self._open.items()):
            stream.close()
            thread.join(ENDING)

    def _answer(self, stream: SocketStream) -> None:
        try:
            self._handler(stream)
        finally:
            stream.close()
            self._open.pop(threading.current_thread(), None)


@contextmanager
def loopback_listener(handler: Handler) -> Iterator[str]:
    """Serve connections to a free port of this machine's loopback, each in its own thread. Yield the address.

    Sandboxes without a network do not reach it: they use `Environment.serve`.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    connections = _Connections(handler)
    accepting = threading.Thread(target=connections.accept, args=(listener,), daemon=True, name="gateway listener")
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes up `accept`, which closing does not
        listener.close()
        accepting.join()
        connections.close()
