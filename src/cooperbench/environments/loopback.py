"""A port on a sandbox's loopback whose connections this process answers: the result of `Environment.serve`.

A relay in the sandbox accepts connections and carries all of them over one stream, the way `coop` goes, so it works with networking
off and on every backend. A frame is a connection's number, a kind and a size (`>IBI`), and that many bytes:

    OPEN    a program has connected          DATA    bytes, at most 64 KiB
    END     the sender has nothing more      RESET   the connection is over both ways
    CREDIT  so many bytes were passed on     READY   the relay listens at this port

Each side has at most `WINDOW` bytes of a connection under way, so one that nobody reads holds up neither the others nor the memory.
"""

import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from cooperbench.environments.contract import FrameReader, Stream
from cooperbench.environments.relays import launch
from cooperbench.errors import CooperBenchError, SandboxError, SandboxLostError, TransportError

HEAD = struct.Struct(">IBI")
OPEN, DATA, END, RESET, CREDIT, READY = range(6)
WINDOW = 1 << 20
CHUNK = 1 << 16
MOST_AT_ONCE = 256
"""Connections that one service may have open at a time; more are closed."""
START_SECONDS = 120.0
"""A failed start ends at once. This only bounds one that hangs on a busy machine."""
RESTARTS = 20
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between attempts to start a relay again: one that was cut off may hold the port for a moment."""

Handler = Callable[[socket.socket], None]


class FrameWriter:
    """Writes whole frames to one stream, from several threads."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, number: int, kind: int, data: bytes = b"") -> None:
        """Write one frame. Raises `TransportError`."""
        with self._lock:
            self._stream.write(HEAD.pack(number, kind, len(data)) + data)


class LoopbackService:
    """Serves the connections that programs in a sandbox make to `address`, until it is closed or the sandbox ends.

    When the stream to the sandbox breaks, open connections break with it, and later ones are served again at the same port.
    """

    def __init__(self, open_stream: Callable[[str], Stream], handler: Handler, port: int = 0) -> None:
        self._open_stream = open_stream
        self._handler = handler
        self._identifier = uuid.uuid4().hex[:16]
        self._lock = threading.Lock()
        self._closed = False
        self._connections: dict[int, _Connection] = {}
        self._stream, frames, self.port = self._open(port)
        self._writer = FrameWriter(self._stream)
        self._thread = threading.Thread(target=self._serve, args=(frames,), name="cooperbench-serve", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The base address for programs in the sandbox, such as http://127.0.0.1:41234."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and break open connections. Twice is fine."""
        with self._lock:
            self._closed = True
        self._stream.close()
        self._thread.join(timeout=5.0)

    def _open(self, port: int) -> tuple[Stream, FrameReader, int]:
        stream = self._open_stream(launch(self._identifier, port))
        impatience = threading.Timer(START_SECONDS, stream.close)
        impatience.daemon = True
        impatience.start()
        try:
            frames = FrameReader(stream)
            _, kind, data = _read_frame(frames)
            if kind != READY:
                raise SandboxError(f"cannot serve a port in the sandbox: {data.decode(errors='replace')}")
            return stream, frames, int(data)
        except BaseException:
            stream.close()
            raise
        finally:
            impatience.cancel()

    def _serve(self, frames: FrameReader) -> None:
        for _ in range(RESTARTS):
            with suppress(TransportError, ValueError, struct.error):
                while True:
                    self._obey(*_read_frame(frames))
            self._stream.close()
            self._break_connections()
            if self._closed:
                return
            try:
                frames = self._reopen()
            except CooperBenchError:
                return  # the sandbox has ended

    def _reopen(self) -> FrameReader:
        for pause in PAUSES:
            try:
                stream, frames, _ = self._open(self.port)
                break
            except SandboxLostError:
                raise
            except SandboxError:
                time.sleep(pause)
        else:
            raise TransportError("the relay cannot be started again")
        with self._lock:
            self._stream, self._writer = stream, FrameWriter(stream)
            if self._closed:
                stream.close()
        return frames

    def _obey(self, number: int, kind: int, data: bytes) -> None:
        with self._lock:
            connection = self._connections.get(number)
        if kind == OPEN:
            self._begin(number)
        elif connection is not None:
            connection.obey(kind, data)

    def _begin(self, number: int) -> None:
        with self._lock:
            if len(self._connections) < MOST_AT_ONCE:
                connection = self._connections[number] = _Connection(number, self._writer, self._forget)
                connection.start(self._handler)
                return
            refuse = self._writer.send
        threading.Thread(target=refuse, args=(number, RESET), name="cooperbench-refuse", daemon=True).start()

    def _forget(self, connection: "_Connection") -> None:
        with self._lock:
            if self._connections.get(connection.number) is connection:
                del self._connections[connection.number]

    def _break_connections(self) -> None:
        with self._lock:
            broken, self._connections = list(self._connections.values()), {}
        for connection in broken:
            connection.obey(RESET, b"")


class _Connection:
    """One connection: the handler has one end of a socket pair, two threads carry bytes between the other end and the stream."""

    def __init__(self, number: int, writer: FrameWriter, forget: "Callable[[_Connection], None]") -> None:
        self.number = number
        self._writer = writer
        self._forget = forget
        self._ours, self._theirs = socket.socketpair()
        self._changed = threading.Condition()
        self._credit = WINDOW
        self._arrived = bytearray()
        self._sandbox_ended = False
        self._over = False
        self._open_ways = 2

    def start(self, handler: Handler) -> None:
        """Start the handler and both directions."""
        for name, work in (
            ("handler", lambda: self._handle(handler)),
            ("out", self._carry_out),
            ("in", self._carry_in),
        ):
            threading.Thread(target=work, name=f"cooperbench-serve-{name}", daemon=True).start()

    def obey(self, kind: int, data: bytes) -> None:
        """Take in a frame, without waiting for anything."""
        with self._changed:
            if kind == DATA:
                self._arrived += data
            elif kind == CREDIT:
                self._credit += int.from_bytes(data, "big")
            elif kind == END:
                self._sandbox_ended = True
            elif kind == RESET:
                self._over = True
                with suppress(OSError):
                    self._ours.shutdown(socket.SHUT_RDWR)
            self._changed.notify_all()

    def _handle(self, handler: Handler) -> None:
        try:
            handler(self._theirs)
        finally:
            with suppress(OSError):
                self._theirs.shutdown(socket.SHUT_RDWR)  # close() alone says nothing while another thread reads
            self._theirs.close()

    def _carry_in(self) -> None:
        """Pass on what the handler writes."""
        try:
            while data := self._ours.recv(self._wait_for_credit()):
                with self._changed:
                    self._credit -= len(data)
                self._send(DATA, data)
            self._send(END)
        except (OSError, TransportError):
            self._reset()
        self._end_way()

    def _wait_for_credit(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._credit > 0 or self._over)
            return min(CHUNK, max(1, self._credit))

    def _carry_out(self) -> None:
        """Pass on to the handler what has arrived."""
        try:
            while data := self._next_arrived():
                self._ours.sendall(data)
                self._send(CREDIT, len(data).to_bytes(4, "big"))
            self._ours.shutdown(socket.SHUT_WR)
        except (OSError, TransportError):
            self._reset()
        self._end_way()

    def _next_arrived(self) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._arrived) or self._sandbox_ended or self._over)
            data, self._arrived = bytes(self._arrived), bytearray()
            return b"" if self._over else data

    def _reset(self) -> None:
        if not self._over:
            with suppress(TransportError):
                self._send(RESET)
        self.obey(RESET, b"")

    def _end_way(self) -> None:
        with self._changed:
            self._open_ways -= 1
            if self._open_ways:
                return
        self._ours.close()
        self._forget(self)

    def _send(self, kind: int, data: bytes = b"") -> None:
        self._writer.send(self.number, kind, data)


def _read_frame(frames: FrameReader) -> tuple[int, int, bytes]:
    number, kind, size = HEAD.unpack(frames.read(HEAD.size))
    return number, kind, frames.read(size)
