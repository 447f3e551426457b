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


@contextmanager
def loopback_listener(handler: Handler) -> Iterator[str]:
    """Serve connections to a free port of this machine's loopback, each in its own thread. Yield the address.

    Sandboxes without a network do not reach it: they use `Environment.serve`.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    open_streams: set[SocketStream] = set()
    answering: set[threading.Thread] = set()

    def answer(stream: SocketStream) -> None:
        try:
            handler(stream)
        finally:
            stream.close()
            open_streams.discard(stream)
            answering.discard(threading.current_thread())

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = SocketStream(connection)
                open_streams.add(stream)
                thread = threading.Thread(target=answer, args=(stream,), daemon=True, name="model gateway")
                answering.add(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True, name="model gateway listener")
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes up `accept`, which closing does not
        listener.close()
        accepting.join()
        for stream in list(open_streams):
            stream.close()
        for thread in list(answering):
            thread.join(ENDING)
