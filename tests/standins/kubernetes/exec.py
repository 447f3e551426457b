"""`pods/exec` as an API server and its kubelet answer it: a WebSocket with a channel for each stream, and a status at the end."""

import asyncio
import contextlib
import json
import os
import socket
from typing import Any, BinaryIO

from aiohttp import WSMsgType, web

from tests.standins.kubernetes.kubelet import ContainerSandbox, RunningPod

FRAME = 1 << 15
"""Bytes of output in one frame, as kubelet copies them."""


async def answer(
    request: web.Request, pod: RunningPod, sandbox: ContainerSandbox, protocols: tuple[str, ...], service: str
) -> web.WebSocketResponse:
    """Run one command. It goes on when the connection ends, as in a real container."""
    connection = web.WebSocketResponse(protocols=protocols, max_msg_size=0)
    await connection.prepare(request)
    host, _, port = service.partition(":")
    variables = [f"KUBERNETES_SERVICE_HOST={host}", f"KUBERNETES_SERVICE_PORT={port}"]
    command = Command(sandbox, ["env", *variables, *request.query.getall("command")], request.query["stdin"] == "true")
    pod.connections.add(connection)
    feeding = asyncio.ensure_future(command.feed(connection))
    try:
        code = await command.run(connection)
        if not connection.closed:
            await connection.send_bytes(b"\x03" + json.dumps(_status(code)).encode())
        await connection.close()
    finally:
        pod.connections.discard(connection)
        feeding.cancel()
    return connection


class Command:
    """One process in a container."""

    def __init__(self, sandbox: ContainerSandbox, argv: list[str], stdin: bool) -> None:
        self._given: int | None = None
        given: int
        if stdin:
            given, self._given = os.pipe()
        else:
            given = os.open(os.devnull, os.O_RDONLY)
        out, out_end = os.pipe()
        errors, errors_end = os.pipe()
        self._outputs = {1: os.fdopen(out, "rb", 0), 2: os.fdopen(errors, "rb", 0)}
        try:
            self._control = sandbox._ask({"argv": argv}, [given, out_end, errors_end])
        except BaseException:  # it has ended
            for pipe in self._outputs.values():
                pipe.close()
            raise
        finally:
            for descriptor in (given, out_end, errors_end):
                os.close(descriptor)

    async def run(self, connection: web.WebSocketResponse) -> int:
        """Send the outputs to their ends, and return the exit code."""
        await asyncio.gather(*(self._pump(connection, kind, pipe) for kind, pipe in self._outputs.items()))
        return await asyncio.to_thread(_exit_code, self._control)

    async def _pump(self, connection: web.WebSocketResponse, kind: int, pipe: BinaryIO) -> None:
        reader = asyncio.StreamReader(limit=FRAME)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while data := await reader.read(FRAME):
                with contextlib.suppress(ConnectionError):  # the output of a cut connection is lost
                    if not connection.closed:
                        await connection.send_bytes(bytes([kind]) + data)
        finally:
            transport.close()

    async def feed(self, connection: web.WebSocketResponse) -> None:
        """Pass on what the client sends, until it closes stdin or goes."""
        writer: asyncio.StreamWriter | None = None
        if self._given is not None:
            loop, pipe = asyncio.get_running_loop(), os.fdopen(self._given, "wb", 0)
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
            writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            async for message in connection:
                if message.type is not WSMsgType.BINARY:
                    break
                data: Any = message.data
                if data[:2] == b"\xff\x00":
                    break
                if data[:1] == b"\x00" and writer is not None:
                    writer.write(data[1:])
                    with contextlib.suppress(ConnectionError):
                        await writer.drain()
        finally:
            if writer is not None:
                writer.close()
        async for _ in connection:
            pass


def _exit_code(control: socket.socket) -> int:
    with control:
        return int(control.recv(16) or 137)


def _status(code: int) -> dict[str, Any]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
