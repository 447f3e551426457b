"""A TCP relay in front of a stand-in, whose connections a test can cut."""

import asyncio
from typing import Self


class Relay:
    """Passes bytes between an address of its own and the stand-in behind it."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        self._server = await asyncio.start_server(self._serve, host, port)
        return self

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> int:
        """Break every connection at once, as a network does; new ones are accepted."""
        cut = len(self._open)
        for writer in list(self._open):
            writer.transport.abort()
        return cut

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)  # the event loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._open |= {writer, behind_writer}
        try:
            await asyncio.gather(self._pass_on(reader, behind_writer), self._pass_on(behind_reader, writer))
        except asyncio.CancelledError:  # the stand-in stops; asyncio prints what it finds cancelled here
            pass
        finally:
            self._open -= {writer, behind_writer}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
