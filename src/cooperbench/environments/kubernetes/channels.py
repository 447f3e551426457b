"""Commands in a pod, over a WebSocket: one channel each for stdin, stdout, stderr and the end (`v5.channel.k8s.io`).

With version 4 of the protocol, of servers before Kubernetes 1.30, stdin cannot be closed; no program of ours waits for that. A
connection that ends without a status says nothing of the command.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Sequence
from mmap import mmap
from typing import TYPE_CHECKING

from cooperbench.environments.background import run_async, start_async
from cooperbench.environments.collected import CollectedOutput
from cooperbench.environments.contract import RunReply
from cooperbench.environments.kubernetes.client import Cluster
from cooperbench.environments.kubernetes.pod import CONTAINER
from cooperbench.environments.kubernetes.refusals import TOO_MANY_REQUESTS, our_errors, retry_after
from cooperbench.errors import SandboxDamagedError, SandboxError, SilentSandboxError, TransportError

if TYPE_CHECKING:
    from httpx2.websockets import AsyncWebSocketSession

CLOSABLE, OLDER = "v5.channel.k8s.io", "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
PIECE = 1 << 16
"""Bytes of input in one frame."""
LARGEST_FRAME = 1 << 24
CONNECT_SECONDS = 60.0
HANG_UP_SECONDS = 20.0
DAMAGED = ("executable file not found", "no such file or directory", "permission denied", "exec format error")
"""Words of a container runtime that cannot start the shell, which ran when the sandbox began."""
# The first line names the process to hang up on when the stream is closed.
ANNOUNCE = 'echo $$; exec "$@"'


class PodCommands:
    """Runs commands in one container of a pod."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, container: str = CONTAINER) -> None:
        self._cluster = cluster
        self._container = container
        self._url = f"api/v1/namespaces/{namespace}/pods/{name}/exec"
        self.name = name

    def run(self, argv: Sequence[str], stdin: bytes | mmap, timeout: float) -> RunReply:
        """Run an argv with input. Raises `SilentSandboxError` after `timeout` seconds, and what the connection raises."""
        with our_errors(self.name):
            try:
                return run_async(self.converse(argv, stdin), timeout=timeout)
            except TimeoutError as error:
                raise SilentSandboxError(f"the command did not end within {timeout:g} s", subject=self.name) from error

    async def converse(self, argv: Sequence[str], stdin: bytes | mmap) -> RunReply:
        """Run an argv: give its input while its output is read, so that neither can wait for the other."""
        outputs = {STDOUT: bytearray(), STDERR: bytearray()}
        async with self.connected(argv, stdin=len(stdin) > 0, pong_seconds=60) as connection:
            giving = asyncio.create_task(give(connection, stdin, close=True))
            try:
                while (frame := await next_frame(connection)) is not None:
                    channel, data = frame
                    if channel == STATUS:
                        return RunReply(exit_code(data, self.name), bytes(outputs[STDOUT]), bytes(outputs[STDERR]))
                    outputs[channel] += data
            finally:
                giving.cancel()
                with contextlib.suppress(Exception, asyncio.CancelledError):
                    await giving  # the program may end without reading its input
        raise TransportError("the connection ended before the command", subject=self.name)

    @contextlib.asynccontextmanager
    async def connected(
        self, argv: Sequence[str], *, stdin: bool, pong_seconds: float | None
    ) -> "AsyncIterator[AsyncWebSocketSession]":
        """Start an argv. Waits as long as a server that throttles asks for."""
        from httpx2 import websockets

        chosen = [("container", self._container), ("stdout", "true"), ("stderr", "true"), ("stdin", str(stdin).lower())]
        parameters = [*chosen, *(("command", word) for word in argv)]
        while True:
            try:
                async with self._cluster.http.websocket(
                    self._url,
                    params=parameters,
                    subprotocols=[CLOSABLE, OLDER],
                    max_message_size_bytes=LARGEST_FRAME,
                    keepalive_ping_timeout_seconds=pong_seconds,
                ) as connection:
                    yield connection
                return
            except websockets.WebSocketUpgradeError as error:
                if error.response.status_code != TOO_MANY_REQUESTS:
                    raise
                pause = retry_after(error.response.headers.get("Retry-After"))
            await asyncio.sleep(pause)


async def give(connection: "AsyncWebSocketSession", data: bytes | mmap, *, close: bool = False) -> None:
    """Send input."""
    for begin in range(0, len(data), PIECE):
        await connection.send_bytes(bytes([STDIN]) + data[begin : begin + PIECE])
    if close and len(data) > 0 and connection.subprotocol == CLOSABLE:
        await connection.send_bytes(bytes([CLOSE, STDIN]))


async def next_frame(connection: "AsyncWebSocketSession") -> tuple[int, bytes] | None:
    """Return the channel and the data of the next frame; `None` when the other side ended the connection in order."""
    from httpx2 import websockets

    while True:
        try:
            frame = await connection.receive_bytes()
        except websockets.WebSocketDisconnect:
            return None
        if frame[:1] and frame[0] in (STDOUT, STDERR, STATUS):
            return frame[0], frame[1:]


def exit_code(status: bytes, name: str) -> int:
    """Read the status at the end of a command. Raises `SandboxDamagedError` when nothing could be started, `TransportError`."""
    from lightkube.models.meta_v1 import Status

    found = Status.from_dict(json.loads(status))
    if found.status == "Success":
        return 0
    causes = (found.details.causes if found.details else None) or []
    for cause in causes:
        if cause.reason == "ExitCode" and cause.message:
            return int(cause.message)
    said = " ".join((found.message or "").split())
    if any(words in said for words in DAMAGED):
        raise SandboxDamagedError(f"the shell of the sandbox does not start: {said}", subject=name)
    raise TransportError(f"the command's result is unknown: {said}", subject=name)


class PodStream:
    """One running command of which a task of the background loop collects the output."""

    def __init__(self, commands: PodCommands, argv: Sequence[str]) -> None:
        self._commands = commands
        self._output = CollectedOutput()
        self._connection: AsyncWebSocketSession | None = None
        self._connected = asyncio.Event()
        self._announced = asyncio.Event()
        self._pid: bytes | None = None
        self._writing = threading.Lock()
        self._closed = False
        self._problem: BaseException | None = None
        self._pump = start_async(self._collect(["sh", "-c", ANNOUNCE, "sh", *argv]))

    def wait_until_connected(self) -> None:
        """Wait for the connection. Raises what it raises."""
        try:
            run_async(self._connected.wait(), timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            self.close()
            raise TransportError(
                f"no connection to the pod within {CONNECT_SECONDS:g} s", subject=self._commands.name
            ) from error
        if self._problem is not None and self._pid is None:
            raise self._problem

    def read(self, size: int) -> bytes:
        """Block, and return at most `size` bytes; empty at the end."""
        return self._output.read(size)

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises `TransportError`."""
        with self._writing:
            connection = self._connection
            if self._closed or connection is None:
                raise TransportError("the stream is closed", subject=self._commands.name)
            try:
                with our_errors(self._commands.name):
                    run_async(give(connection, data))
            except SandboxError as error:
                raise TransportError(f"the stream broke: {error.message}", subject=self._commands.name) from error

    def close(self) -> None:
        """Hang up on the process without waiting for its end, unblocking a reader."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
        self._output.end()
        start_async(self._hang_up())

    async def _collect(self, argv: Sequence[str]) -> None:
        first = b""
        try:
            with our_errors(self._commands.name):
                async with self._commands.connected(argv, stdin=True, pong_seconds=None) as connection:
                    self._connection = connection
                    self._connected.set()
                    while (frame := await next_frame(connection)) is not None:
                        channel, data = frame
                        if channel == STATUS:
                            exit_code(data, self._commands.name)
                            return
                        if channel == STDERR:
                            continue
                        if self._pid is None:
                            first += data
                            if b"\n" not in first:
                                continue
                            self._pid, _, data = first.partition(b"\n")
                            self._announced.set()
                        if data:
                            await self._output.put(data)
        except Exception as error:  # the reader sees the end of the stream, and the next write reports why
            self._problem = error
        finally:
            self._connection = None
            self._output.end()
            self._connected.set()
            self._announced.set()

    async def _hang_up(self) -> None:
        with contextlib.suppress(Exception):  # the pod may be gone, and the process with it
            await asyncio.wait_for(self._announced.wait(), HANG_UP_SECONDS)
            finished = self._pump.done()
            self._pump.cancel()
            if self._pid is not None and not finished:
                pid = self._pid.decode()
                script = f"kill -HUP -{pid} {pid}"
                await asyncio.wait_for(self._commands.converse(["sh", "-c", script], b""), HANG_UP_SECONDS)
