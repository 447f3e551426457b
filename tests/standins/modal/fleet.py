"""All sandboxes and images of the stand-in, and what ends a sandbox."""

import asyncio
import time
import uuid
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from grpclib import GRPCError, Status
from modal_proto import api_pb2

from tests.standins.modal.sandboxes import Sandbox
from tests.standins.modal.volumes import Volumes

if TYPE_CHECKING:
    from tests.standins.modal.machines import Machine

LOOK_SECONDS = 0.25


class Fleet:
    """The sandboxes by id; each is watched until it ends."""

    def __init__(self, machine: "Machine", token_seconds: float = 600.0) -> None:
        self.machine = machine
        self.token_seconds = token_seconds
        self.sandboxes: dict[str, Sandbox] = {}
        self.images: dict[str, str] = {}
        self.volumes = Volumes()
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep_image(self, content: str) -> str:
        """The id of an image, the same for the same content."""
        for known, stored in self.images.items():
            if stored == content:
                return known
        image = f"im-{uuid.uuid4().hex[:22]}"
        self.images[image] = content
        return image

    def find(self, sandbox_id: str) -> Sandbox:
        if sandbox_id not in self.sandboxes:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox {sandbox_id} not found")
        return self.sandboxes[sandbox_id]

    def find_task(self, task_id: str) -> Sandbox:
        for sandbox in self.sandboxes.values():
            if sandbox.task_id == task_id and sandbox.result is None:
                return sandbox
        raise GRPCError(Status.NOT_FOUND, f"Task {task_id} not found: container finished")

    async def start(self, sandbox: Sandbox) -> None:
        """Start it. Raises `RuntimeError`."""
        sandbox.folders = {
            mount.mount_path: (self.volumes.folder(mount.volume_id), mount.read_only)
            for mount in sandbox.definition.volume_mounts
        }
        await self.machine.start(sandbox, self.images[sandbox.definition.image_id])
        self.sandboxes[sandbox.id] = sandbox
        self.spawn(self._watch(sandbox))

    async def end(self, sandbox: Sandbox, status: Any, code: int = 0) -> None:
        if sandbox.result is not None:
            return
        sandbox.result = api_pb2.GenericResult(status=status, exitcode=code)
        await self.machine.stop(sandbox)
        for run in sandbox.execs.values():
            await run.abandon()
        sandbox.done.set()

    async def end_all(self) -> None:
        terminated = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED
        await asyncio.gather(*(self.end(sandbox, terminated) for sandbox in list(self.sandboxes.values())))
        if self._tasks:  # all of them end with their sandbox
            await asyncio.wait(self._tasks, timeout=30)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, sandbox: Sandbox) -> None:
        status = api_pb2.GenericResult
        while sandbox.result is None:
            await asyncio.sleep(LOOK_SECONDS)
            if time.time() - sandbox.created >= sandbox.definition.timeout_secs:
                await self.end(sandbox, status.GENERIC_STATUS_TIMEOUT)
            elif (code := await self.machine.exit_code(sandbox)) is not None:
                await self.end(sandbox, status.GENERIC_STATUS_FAILURE if code else status.GENERIC_STATUS_SUCCESS, code)
