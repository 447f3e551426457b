"""The Docker socket of one stand-in machine: passes everything to the real engine, and remembers what was created.

A real machine takes its containers with it when it is deleted; here they are neighbours on one engine.
"""

import asyncio
import os
import re
from asyncio.subprocess import DEVNULL
from pathlib import Path

ENGINE = "/var/run/docker.sock"
DOCKER_GROUP = 990
SNAPSHOTS = "cooperbench-snapshot"
COMMITS = re.compile(rb"POST /v[0-9.]+/commit\?[^ ]*\btag=([A-Za-z0-9_.-]+)")
CREATES = re.compile(rb"POST /v[0-9.]+/containers/create\?name=([A-Za-z0-9_.-]+)")


class EngineSocket:
    """A Unix socket in a folder that is mounted into the machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._containers: list[str] = []
        self._images: list[str] = []
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        os.chown(self.path, -1, DOCKER_GROUP)
        self.path.chmod(0o660)

    async def stop(self) -> None:
        """Close, and remove what was created through it."""
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await self._docker("rm", "--force", "--volumes", names=self._containers)
        await self._docker("rmi", "--force", names=self._images)

    async def _docker(self, *words: str, names: list[str]) -> None:
        if names:
            done = await asyncio.create_subprocess_exec("docker", *words, *names, stdout=DEVNULL, stderr=DEVNULL)
            await done.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)  # the event loop itself holds tasks weakly
        far_reader, far_writer = await asyncio.open_unix_connection(ENGINE)
        try:
            await asyncio.gather(self._pass_on(reader, far_writer, watch=True), self._pass_on(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watch: bool = False
    ) -> None:
        while data := await reader.read(1 << 16):
            if watch:
                self._containers += [name.decode() for name in CREATES.findall(data)]
                self._images += [f"{SNAPSHOTS}:{tag.decode()}" for tag in COMMITS.findall(data)]
            writer.write(data)
            await writer.drain()
        writer.write_eof()
