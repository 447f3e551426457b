"""Runs pods: each is a local sandbox, so its processes are real, and end with the process of the test."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from cooperbench.environments import EnvironmentOptions, SandboxLabels
from cooperbench.environments.local.isolation import Isolation
from cooperbench.environments.local.transport import LocalTransport
from cooperbench.environments.local.view import Mount, SandboxSpec
from cooperbench.errors import ImageError

NEVER = 100_000.0
LOOK_SECONDS = 0.02
SLICE_SECONDS = 0.1


class ContainerSandbox(LocalTransport):
    """The sandbox behind a container, with the volumes that it mounts."""

    volumes: tuple[Mount, ...] = ()

    def _launch(self, level: Isolation, spec: SandboxSpec) -> "subprocess.Popen[bytes]":
        return super()._launch(level, replace(spec, layers=self.volumes))


@dataclass
class RunningPod:
    """One pod of the API server, and the sandboxes behind its containers."""

    body: dict[str, Any]
    sandbox: ContainerSandbox | None = None
    preparing: ContainerSandbox | None = None
    """That of the init container, while it runs."""
    folder: "tempfile.TemporaryDirectory[str] | None" = None
    """What an `emptyDir` holds."""
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["status"]
        return found

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["spec"]["containers"][0]
        return found

    def waits(self, reason: str, message: str) -> None:
        self._set({"waiting": {"reason": reason, "message": message}})

    def fails(self, reason: str, message: str) -> None:
        self.status.update(phase="Failed", reason=reason, message=message)

    def runs(self, digest: str) -> None:
        self._set({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, imageID=f"{self.container['image']}@{digest}")
        self.status.update(phase="Running")

    def prepares(self, state: dict[str, Any]) -> None:
        """Set the state of the init container."""
        [container] = self.body["spec"]["initContainers"]
        self.status["initContainerStatuses"] = [self._status_of(container, state)]
        if "terminated" not in state:
            self.waits("PodInitializing", "")

    def behind(self, container: str) -> ContainerSandbox | None:
        """Return the sandbox of a container that runs."""
        if container == self.container["name"]:
            return self.sandbox if self.status["phase"] == "Running" else None
        return self.preparing

    def _set(self, state: dict[str, Any], **more: str) -> None:
        self.status["containerStatuses"] = [self._status_of(self.container, state, **more)]

    def _status_of(self, container: dict[str, Any], state: dict[str, Any], **more: str) -> dict[str, Any]:
        base = {
            "name": container["name"],
            "ready": False,
            "restartCount": 0,
            "image": container["image"],
            "imageID": "",
        }
        return {**base, **more, "state": state}


class Kubelet:
    """One node with room for everything."""

    def __init__(self, registry: str, isolated: Callable[[dict[str, Any]], bool]) -> None:
        self._registry = registry
        self._isolated = isolated
        self.start_seconds = 0.0
        self.next_starts: list[Callable[[RunningPod], bool]] = []
        """What happens to the next pods in place of a start; one that returns True ends it."""

    def take(self, body: dict[str, Any]) -> RunningPod:
        pod = RunningPod(body)
        body["metadata"]["uid"] = str(uuid.uuid4())
        body["status"] = {"phase": "Pending"}
        pod.tasks.append(asyncio.ensure_future(self._live(pod)))
        return pod

    async def _live(self, pod: RunningPod) -> None:
        await asyncio.sleep(self.start_seconds)
        if self.next_starts and self.next_starts.pop(0)(pod):
            return
        if not await self._prepare(pod) or not await self._start(pod):
            return
        limits = pod.container.get("resources", {}).get("limits", {})
        if "memory" in limits:
            pod.tasks.append(asyncio.ensure_future(self._limit_memory(pod, int(limits["memory"].removesuffix("Mi")))))
        if "cpu" in limits:
            pod.tasks.append(asyncio.ensure_future(self._limit_cpu(pod, int(limits["cpu"].removesuffix("m")) / 1000)))
        await asyncio.sleep(pod.body["spec"]["activeDeadlineSeconds"])
        pod.fails("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        await self._end(pod)

    async def _prepare(self, pod: RunningPod) -> bool:
        """Run the init container to its end, if there is one."""
        for container in pod.body["spec"].get("initContainers", ()):
            pod.folder = tempfile.TemporaryDirectory(prefix="kubernetes-standin-")
            sandbox = await self._sandbox(pod, container)
            if sandbox is None:
                return False
            pod.preparing = sandbox
            pod.prepares({"running": {"startedAt": "2026-01-01T00:00:00Z"}})
            done = await asyncio.to_thread(sandbox.run, container["command"], timeout=NEVER)
            pod.preparing = None
            await asyncio.to_thread(sandbox.stop)
            pod.prepares({"terminated": {"exitCode": done.returncode, "reason": "Completed"}})
        return True

    async def _start(self, pod: RunningPod) -> bool:
        pod.sandbox = await self._sandbox(pod, pod.container)
        if pod.sandbox is None:
            return False
        pod.runs(pod.sandbox.handle().digest or "")
        return True

    async def _sandbox(self, pod: RunningPod, container: dict[str, Any]) -> ContainerSandbox | None:
        """Start the sandbox of a container; `None` where its image is missing."""
        image = container["image"].removeprefix(f"{self._registry}/")
        isolated = self._isolated(pod.body)
        options = EnvironmentOptions(cwd="/", lifetime=NEVER, network="none" if isolated else "full")
        try:
            sandbox = ContainerSandbox.prepare(image, options, SandboxLabels(run="kubernetes-standin"))
        except ImageError:
            said = f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": not found'
            pod.waits("ErrImagePull", said)
            return None
        assert isinstance(sandbox, ContainerSandbox)
        if pod.folder is not None:
            source = Path(pod.folder.name)
            sandbox.volumes = tuple(
                Mount(mount["mountPath"], source, writable=not mount.get("readOnly", False))
                for mount in container["volumeMounts"]
            )
        await asyncio.to_thread(sandbox.start)
        return sandbox

    async def end(self, pod: RunningPod) -> None:
        """End a pod, as its deletion does."""
        for task in pod.tasks:
            task.cancel()
        await asyncio.gather(*pod.tasks, return_exceptions=True)
        await self._end(pod)

    async def _end(self, pod: RunningPod) -> None:
        for connection in list(pod.connections):
            await connection.close()
        preparing, pod.preparing = pod.preparing, None
        for sandbox in (preparing, pod.sandbox):
            if sandbox is not None:
                await asyncio.to_thread(sandbox.stop)
        if pod.folder is not None:
            pod.folder.cleanup()

    async def _limit_memory(self, pod: RunningPod, megabytes: int) -> None:
        """Kill the largest process when they take too much together, as the kernel does in a pod's cgroup."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            sizes = {process: _memory(process) for process in _processes(pod)}
            if sum(sizes.values()) > megabytes << 20:
                with contextlib.suppress(psutil.NoSuchProcess):
                    max(sizes, key=lambda process: sizes[process]).kill()

    async def _limit_cpu(self, pod: RunningPod, share: float) -> None:
        """Let the processes run for a share of the time."""
        while True:
            await asyncio.sleep(SLICE_SECONDS * share)
            stopped = _processes(pod)
            _send(stopped, signal.SIGSTOP)
            try:
                await asyncio.sleep(SLICE_SECONDS * (1 - share))
            finally:
                _send(stopped, signal.SIGCONT)


def _processes(pod: RunningPod) -> list[psutil.Process]:
    """Return what runs in a pod below its first process."""
    assert pod.sandbox is not None
    name = pod.sandbox.handle().identifier
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[:1] == ["bwrap"] and any(name in word for word in words):
            with contextlib.suppress(psutil.NoSuchProcess):
                below = process.children(recursive=True)
                found += [each for each in below if "/run/init.py" not in each.cmdline()]
    return found


def _memory(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(process.pid, number)
