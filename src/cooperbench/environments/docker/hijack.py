"""A process in a container with its stdin, stdout and stderr, over a hijacked connection of the engine: an exec's, or the container's own.

The SDK reads the header of the answer through a buffer and then drops the buffer. Output that arrives with the header is lost,
which happens on slow connections. Here the header is read to its last byte and no further.
"""

import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING

from cooperbench.environments.docker.engine import DockerEngine
from cooperbench.errors import SandboxDamagedError, SandboxLostError, SilentSandboxError, TransportError

if TYPE_CHECKING:
    from docker.tls import TLSConfig

STDOUT, STDERR = 1, 2
CONNECT_SECONDS = 60.0


class Attached:
    """The connection of one process. Output comes in frames of stdout and stderr."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = 0
        self._kind = STDOUT

    def settimeout(self, seconds: float | None) -> None:
        """Limit how long reading and writing may block."""
        self._connection.settimeout(seconds)

    def send(self, data: bytes) -> None:
        """Write to stdin. Raises `TransportError`."""
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise TransportError(f"the connection to the container broke: {error}") from error

    def end_input(self) -> None:
        """Close stdin."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def receive(self, size: int) -> tuple[int, bytes]:
        """Return at most `size` bytes of one of the outputs; none at the end. Raises `TransportError`."""
        while self._left == 0:
            header = self._exactly(8)
            if not header:
                return STDOUT, b""
            self._kind, self._left = struct.unpack(">BxxxL", header)
        data = self._some(min(size, self._left))
        if not data:
            raise TransportError("the output of the container broke off")
        self._left -= len(data)
        return self._kind, data

    def close(self) -> None:
        """Close the connection, waking a blocked reader."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _some(self, size: int) -> bytes:
        try:
            return self._connection.recv(size)
        except TimeoutError as error:
            raise SilentSandboxError("the container did not answer in time") from error
        except OSError as error:
            raise TransportError(f"the connection to the container broke: {error}") from error

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._some(size - len(data))
            if not more:
                if data:
                    raise TransportError("the output of the container broke off")
                return b""
            data += more
        return data


def start(engine: DockerEngine, exec_id: str) -> Attached:
    """Start a prepared exec and take over its connection. Raises `SandboxLostError`, `TransportError`."""
    return _taken_over(engine, f"exec/{exec_id}/start", b'{"Detach": false, "Tty": false}')


def attach(engine: DockerEngine, name: str) -> Attached:
    """Take over stdin and stdout of a container's first process, before it starts. Raises what `start` raises."""
    return _taken_over(engine, f"containers/{name}/attach?stream=1&stdin=1&stdout=1", b"")


def _taken_over(engine: DockerEngine, path: str, body: bytes) -> Attached:
    try:
        connection = _connect(engine)
    except OSError as error:
        raise TransportError(f"no Docker engine answers: {error}", subject=engine.address) from error
    try:
        request = (
            f"POST /v{engine.client.api.api_version}/{path} HTTP/1.1\r\nHost: docker\r\n"
            f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(request.encode() + body)
        header = b""
        while not header.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                raise TransportError("the Docker engine closed the connection", subject=engine.address)
            header += byte
        status = int(header.split(b" ", 2)[1])
        if status not in (101, 200):
            message = connection.recv(4096).decode("utf-8", "replace").strip()
            if "is not running" in message or "No such" in message or "is paused" in message:
                raise SandboxLostError(f"the container is gone: {message}")
            if "OCI runtime" in message or "executable file not found" in message:
                raise SandboxDamagedError(f"the container cannot start a command: {message}")
            raise TransportError(f"the Docker engine did not start a command: {message}")
    except (OSError, ValueError) as error:
        connection.close()
        raise TransportError(f"the connection to the Docker engine failed: {error}", subject=engine.address) from error
    except BaseException:
        connection.close()
        raise
    return Attached(connection)


def _connect(engine: DockerEngine) -> socket.socket:
    scheme, _, place = engine.address.partition("://")
    if scheme in ("unix", "http+unix"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect("/" + place.lstrip("/"))
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = place.rstrip("/").partition(":")
    plain = socket.create_connection((host, int(port or 2375)), timeout=CONNECT_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain if engine.tls is None else _encrypted(plain, host, engine.tls)


def _encrypted(plain: socket.socket, host: str, tls: "TLSConfig") -> socket.socket:
    context = ssl.create_default_context(cafile=tls.ca_cert or None)
    if tls.cert:
        context.load_cert_chain(*tls.cert)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)
