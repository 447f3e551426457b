"""The stand-in as a test uses it: start it, look into it, break it."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from tests.standins.background import BackgroundLoop
from tests.standins.kubernetes.api import Api, Fault
from tests.standins.kubernetes.kubelet import RunningPod
from tests.standins.relay import Relay

NAMESPACE = "lab"
REGISTRY = "registry.example/cooperbench"
TOKEN = "standin-token"


class KubernetesStandin:
    """A cluster with one namespace. Its kubeconfig file is what the client needs to find it and to be let in."""

    def __init__(self) -> None:
        self._background = BackgroundLoop("kubernetes-standin")
        self._folder = tempfile.TemporaryDirectory(prefix="kubernetes-standin-")
        self.kubeconfig = Path(self._folder.name, "kubeconfig")
        self.api = Api(TOKEN, {NAMESPACE}, REGISTRY)

    token = TOKEN

    @property
    def pods(self) -> list[dict[str, Any]]:
        """The pods that exist."""
        return [pod.body for pod in self.api.pods.values()]

    def pod(self, name: str) -> dict[str, Any]:
        return self.api.pods[NAMESPACE, name].body

    def kill(self, name: str) -> None:
        """Delete a pod behind its owner's back."""

        async def kill() -> None:
            await self.api.kubelet.end(self.api.pods.pop((NAMESPACE, name)))

        self._background.run(kill())

    def evict(self, name: str) -> None:
        """Take a pod's node away from it; its record stays."""

        async def evict() -> None:
            pod = self.api.pods[NAMESPACE, name]
            pod.fails("Evicted", "The node was low on resource: memory.")
            await self.api.kubelet.end(pod)

        self._background.run(evict())

    def evict_next(self) -> None:
        """Take the next pod's node away from it as soon as it runs."""

        async def soon(pod: RunningPod) -> None:
            while pod.status["phase"] != "Running":
                await asyncio.sleep(0.02)
            pod.fails("Evicted", "The node was low on resource: memory.")
            await self.api.kubelet.end(pod)

        def happens(pod: RunningPod) -> bool:
            self._evicting = asyncio.ensure_future(soon(pod))
            return False

        self.next_start(happens)

    def next_start(self, happens: Callable[[RunningPod], bool]) -> None:
        """Let something happen to the next pod in place of its start."""
        self.api.kubelet.next_starts.append(happens)

    def fail_next(self, call: str, fault: Fault, *, times: int = 1) -> None:
        """Answer the next calls, such as `create pods`, with an error."""
        self.api.faults[call] += [fault] * times

    def cut_connections(self) -> int:
        """Break every connection, as a load balancer does; new ones are accepted."""

        async def cut() -> int:
            return self._relay.cut()

        return self._background.run(cut())

    def end_commands(self) -> None:
        """End the connections of all commands in order, without a status."""

        async def end() -> None:
            for pod in self.api.pods.values():
                for connection in list(pod.connections):
                    await connection.close()

        self._background.run(end())

    def write_kubeconfig(self, path: Path, **changes: str) -> Path:
        """Write a kubeconfig file, with another server, token or namespace."""
        wanted = {"server": self._url, "token": TOKEN, "namespace": NAMESPACE, "context": "standin"} | changes
        context = {"cluster": "standin", "user": "student", "namespace": wanted["namespace"]}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": wanted["context"],
            "clusters": [{"name": "standin", "cluster": {"server": wanted["server"]}}],
            "users": [{"name": "student", "user": {"token": wanted["token"]}}],
            "contexts": [{"name": wanted["context"], "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def __enter__(self) -> Self:
        self._background.run(self._start())
        self.write_kubeconfig(self.kubeconfig)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._background.run(self._stop())
        self._background.stop()
        self._folder.cleanup()

    async def _start(self) -> None:
        # Commands come in the address.
        self._runner = web.AppRunner(
            self.api.application(), shutdown_timeout=1, max_line_size=1 << 20, max_field_size=1 << 20
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._relay = await Relay(self._runner.addresses[0][1]).start()
        self.api.service = f"127.0.0.1:{self._relay.port}"
        self._url = f"http://{self.api.service}"

    async def _stop(self) -> None:
        for pod in self.api.pods.values():
            await self.api.kubelet.end(pod)
        await self._relay.stop()
        await self._runner.cleanup()
