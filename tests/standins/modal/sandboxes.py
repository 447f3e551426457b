"""What the stand-in knows of its sandboxes and of the commands in them."""

import asyncio
import contextlib
import time
import uuid
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STDOUT, STDERR = 1, 2


@dataclass
class Exec:
    """One command in a sandbox, with everything it wrote."""

    id: str
    argv: list[str]
    workdir: str
    timeout: float | None
    env: dict[str, str]
    process: Process | None = None
    output: dict[int, bytearray] = field(default_factory=lambda: {STDOUT: bytearray(), STDERR: bytearray()})
    ended: dict[int, bool] = field(default_factory=lambda: {STDOUT: False, STDERR: False})
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    code: int | None = None
    signal: int | None = None
    written: int = 0
    stdin_closed: bool = False

    @property
    def running(self) -> bool:
        return self.code is None and self.signal is None

    async def collect(self, descriptor: int, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(1 << 16):
            async with self.changed:
                self.output[descriptor] += chunk
                self.changed.notify_all()
        async with self.changed:
            self.ended[descriptor] = True
            self.changed.notify_all()

    async def finish(self, returncode: int) -> None:
        async with self.changed:
            if returncode < 0:
                self.signal = -returncode
            else:
                self.code = returncode
            self.changed.notify_all()

    async def abandon(self) -> None:
        """The sandbox ended under it."""
        async with self.changed:
            if self.running:
                self.signal = 9
            self.ended = {STDOUT: True, STDERR: True}
            self.changed.notify_all()
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


@dataclass
class Sandbox:
    """One sandbox; `definition` is the client's request, `result` says how it ended."""

    app_id: str
    definition: Any
    tags: dict[str, str]
    env: dict[str, str]
    id: str = field(default_factory=lambda: f"sb-{uuid.uuid4().hex.upper()[:26]}")
    created: float = field(default_factory=time.time)
    execs: dict[str, Exec] = field(default_factory=dict)
    result: Any = None
    place: str = ""
    folders: dict[str, tuple[Path, bool]] = field(default_factory=dict)
    """Folders of this machine by where they are mounted, each with whether that is read-only."""
    processes: list[Process] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def task_id(self) -> str:
        return f"ta-{self.id[3:]}V"
