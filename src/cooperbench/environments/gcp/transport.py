"""A container on a pooled machine: the unchanged Docker transport over the machine's forwarded socket."""

import contextlib

from cooperbench.environments.contract import (
    EnvironmentOptions,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Stream,
    Transport,
)
from cooperbench.environments.docker.transport import DockerTransport
from cooperbench.environments.docker.transport import attach as attach_container
from cooperbench.environments.gcp import pool
from cooperbench.environments.gcp.compute import Compute
from cooperbench.environments.gcp.settings import GCPSettings
from cooperbench.environments.ssh import forwarded_engine
from cooperbench.errors import SandboxError, SandboxLostError, TransportError

SNAPSHOT_PREFIX = "gcp-snapshot:"


class GCPTransport(Transport):
    """See `Transport`."""

    def __init__(self, compute: Compute, slot: pool.Slot | None, container: DockerTransport | None) -> None:
        self._compute = compute
        self._slot = slot
        self._container = container
        self._wish: tuple[GCPSettings, str, EnvironmentOptions, SandboxLabels] | None = None

    @classmethod
    def prepare(
        cls, settings: GCPSettings, image: str, options: EnvironmentOptions, labels: SandboxLabels
    ) -> "GCPTransport":
        """Prepare a container on a machine still to be found."""
        transport = cls(Compute(settings.project_id), None, None)
        transport._wish = (settings, image, options, labels)
        return transport

    def start(self) -> None:
        """Take a slot on a machine of this run, creating one if necessary, and start the container."""
        assert self._wish is not None, "attached sandboxes run already"
        settings, image, options, labels = self._wish
        if image.startswith(SNAPSHOT_PREFIX):  # a snapshot exists only on the machine where it was taken
            machine, _, image = image.removeprefix(SNAPSHOT_PREFIX).partition("/")
            self._slot = pool.rejoin(self._compute, settings.project_id, machine)
        else:
            self._slot = pool.acquire(self._compute, settings, labels.run)
        socket = forwarded_engine(self._slot.machine.target)
        self._container = DockerTransport.prepare(image, options, labels, f"unix://{socket.path}")
        self._container.start()

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one argv in the container."""
        return self._running().run(argv, stdin=stdin, timeout=timeout)

    def open(self, argv: list[str]) -> Stream:
        """Start one argv and keep its connection open."""
        return self._running().open(argv)

    @property
    def outside(self) -> str:
        """The folder at which another container on the machine sees this one's files."""
        return self._running().outside

    def run_outside(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one argv in another container on the machine."""
        return self._running().run_outside(argv, stdin=stdin, timeout=timeout)

    def alive(self) -> bool:
        """Return whether the engine says that the container runs. If it is out of reach, the provider says whether the machine is gone."""
        try:
            return self._running().alive()
        except TransportError:
            assert self._slot is not None
            if pool.runs(self._compute, self._slot.machine):
                raise
            return False

    def handle(self) -> SandboxHandle:
        """Return the handle with which another process of this user finds it."""
        assert self._slot is not None
        machine = self._slot.machine
        details = {"project_id": machine.project, "zone": machine.zone, "machine": machine.name}
        inner = self._running().handle()
        image = inner.image if self._wish is None else self._wish[1]  # a snapshot's name says on which machine it is
        update = {"backend": "gcp", "details": details, "isolation": "gcp", "image": image}
        return inner.model_copy(update=update)

    def snapshot(self) -> str:
        """Save the file system as an image on the same machine."""
        assert self._slot is not None
        return f"{SNAPSHOT_PREFIX}{self._slot.machine.name}/{self._running().snapshot()}"

    def stop(self) -> None:
        """Remove the container and free the slot. With the machine gone there is nothing to remove."""
        try:
            if self._container is not None:
                with contextlib.suppress(SandboxLostError):
                    self._remove(self._container)
        finally:
            if self._slot is not None:
                self._slot.release(self._compute)

    def _remove(self, container: DockerTransport) -> None:
        try:
            container.stop()
        except SandboxError:
            if self.alive():
                container.stop()

    def _running(self) -> DockerTransport:
        if self._container is None:
            raise SandboxLostError("the sandbox has not started")
        return self._container


def attach(handle: SandboxHandle) -> GCPTransport:
    """Connect to a running container. Raises `SandboxLostError` when it or its machine is gone."""
    compute = Compute(handle.details["project_id"])
    slot = pool.rejoin(compute, handle.details["project_id"], handle.details["machine"])
    try:
        socket = forwarded_engine(slot.machine.target)
        inner = handle.model_copy(update={"backend": "docker", "details": {"host": f"unix://{socket.path}"}})
        return GCPTransport(compute, slot, attach_container(inner))
    except BaseException:
        slot.release(compute)
        raise
