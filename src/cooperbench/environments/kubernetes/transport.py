"""One pod. Its name is fixed before it is created, so an interrupted or repeated start leaves nothing and makes nothing twice."""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from cooperbench.environments.contract import EnvironmentOptions, RunReply, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.kubernetes import pod as pods
from cooperbench.environments.kubernetes.channels import PodCommands, PodStream
from cooperbench.environments.kubernetes.client import Cluster, connect
from cooperbench.environments.kubernetes.layers import fill
from cooperbench.environments.kubernetes.network import ensure_policy, network_of
from cooperbench.environments.kubernetes.settings import KubernetesSettings
from cooperbench.environments.layers.store import pins
from cooperbench.environments.limiter import CreationLimiter, create_patiently
from cooperbench.environments.scripts import without_comments
from cooperbench.errors import CapabilityError, SandboxLostError, SilentSandboxError, TransportError

if TYPE_CHECKING:
    from lightkube.resources.core_v1 import Pod

CREATION_INTERVAL = 0.05
"""Twenty pods a second, for all processes of a user on this machine."""
CREATION_PATIENCE = 120.0
START_SECONDS = 900.0
"""For a node to be found, or added by the cluster's autoscaler, and the image to be pulled."""
LATE_SECONDS = 2.0
"""Seconds for which the server may go on creating a pod after its request was given up."""
FIRST_LOOK, LONGEST_LOOK = 0.1, 2.0
POLICY_SECONDS = 20.0
"""Seconds in which a network plugin may bring a policy into force for a new pod."""


class KubernetesTransport(Transport):
    """See `Transport`."""

    def __init__(self, cluster: Cluster, settings: KubernetesSettings, handle: SandboxHandle) -> None:
        self._cluster = cluster
        self._settings = settings
        self._handle = handle
        self._namespace = handle.details["namespace"]
        self._commands = PodCommands(cluster, self._namespace, handle.identifier)
        self._stopped = False

    @classmethod
    def prepare(
        cls, settings: KubernetesSettings, image: str, options: EnvironmentOptions, labels: SandboxLabels
    ) -> "KubernetesTransport":
        """Prepare a pod."""
        cluster = connect(settings)
        handle = SandboxHandle(
            backend="kubernetes",
            identifier=f"cooperbench-{uuid.uuid4().hex[:12]}",
            image=image,
            options=options,
            labels=labels,
            details={"context": settings.context, "namespace": cluster.namespace(settings)},
            isolation=settings.runtime_class or "kubernetes",
        )
        return cls(cluster, settings, handle)

    def start(self) -> None:
        """Create the pod, and wait until it runs and its network is in force."""
        network = network_of(self._handle.options, self._cluster.address)
        ensure_policy(self._cluster, network, self._namespace)
        wanted = pods.manifest(self._handle, self._settings, network)
        limiter = CreationLimiter("kubernetes", interval=CREATION_INTERVAL)
        try:
            create_patiently(lambda: self._create(wanted), limiter, patience=CREATION_PATIENCE)
        except (KeyboardInterrupt, SystemExit):
            self._remove_late()
            raise
        if self._handle.options.layers:
            self._await(pods.takes_layers)
            self._fill_layers()
        started = self._await(pods.has_started)
        self._handle = self._handle.model_copy(update={"digest": pods.digest(started)})
        self._check_network()

    def _create(self, wanted: "Pod") -> None:
        """Create the pod. One of its name is ours: the answer to an earlier attempt was lost."""
        try:
            self._cluster.create(wanted)
        except TransportError:
            if self._find() is None:
                raise

    def _remove_late(self) -> None:
        """Delete a pod that the server may still be creating although nobody waits for it any more."""
        deadline = time.monotonic() + LATE_SECONDS
        while time.monotonic() < deadline and self._find() is None:
            time.sleep(0.1)
        self.stop()

    def _await(self, reached: Callable[["Pod | None", SandboxHandle], bool]) -> "Pod":
        deadline = time.monotonic() + START_SECONDS
        pause = FIRST_LOOK
        while not reached(pod := self._find(), self._handle) or pod is None:
            if time.monotonic() > deadline and pod is not None:
                raise pods.never_started(pod, self._handle, START_SECONDS)
            time.sleep(pause)
            pause = min(LONGEST_LOOK, pause * 1.5)
        return pod

    def _fill_layers(self) -> None:
        commands = PodCommands(self._cluster, self._namespace, self._handle.identifier, pods.FILLING)
        try:
            shown = fill(commands, self._handle.options.layers)
        except TransportError as error:
            self._raise_if_ended(error)
            raise
        self._handle = self._handle.model_copy(update={"layers": pins(shown)})

    def _check_network(self) -> None:
        """Raise `CapabilityError` where the pod reaches what no sandbox may: the cluster does not enforce policies."""
        script = without_comments("reach.sh")
        deadline = time.monotonic() + POLICY_SECONDS
        while self.run(["sh", "-c", script], timeout=60).returncode == 0:
            if time.monotonic() > deadline:
                raise CapabilityError(
                    "sandboxes reach the cluster's API server: its network plugin does not enforce network policies",
                    subject="network",
                    hint="use a plugin that does, such as Calico or Cilium, or another --backend",
                )
            time.sleep(1)

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run an argv."""
        self._check_not_stopped()
        try:
            return self._commands.run(argv, stdin, timeout)
        except SilentSandboxError:
            raise
        except TransportError as error:
            self._raise_if_gone(error)
            raise

    def open(self, argv: list[str]) -> PodStream:
        """Start an argv; the background loop collects its output."""
        self._check_not_stopped()
        stream = PodStream(self._commands, argv)
        try:
            stream.wait_until_connected()
        except TransportError as error:
            self._raise_if_gone(error)
            raise
        return stream

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise SandboxLostError("the environment was cleaned up", subject=self._handle.identifier)

    def _raise_if_gone(self, error: TransportError) -> None:
        """Raise `SandboxLostError` with what became of the pod, unless it is alive or cannot be asked for."""
        with contextlib.suppress(TransportError):
            if not pods.is_alive(pod := self._find()):
                raise SandboxLostError(pods.fate(pod, self._handle.identifier), subject=error.subject) from error

    def _raise_if_ended(self, error: TransportError) -> None:
        """Raise `SandboxLostError` for a pod that ended or was deleted before its sandbox started."""
        with contextlib.suppress(TransportError):
            if (pod := self._find()) is None or pods.has_ended(pod):
                raise SandboxLostError(pods.fate(pod, self._handle.identifier), subject=error.subject) from error

    def alive(self) -> bool:
        """Return whether the API server says that the pod runs."""
        return pods.is_alive(self._find())

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        return self._handle

    def snapshot(self) -> str:
        """Raise `CapabilityError`: a cluster has no call for it."""
        raise CapabilityError("the backend kubernetes does not take snapshots", subject="kubernetes")

    def stop(self) -> None:
        """Delete the pod without waiting for its processes to end."""
        if self._stopped:
            return
        self._stopped = True
        remove(self._cluster, self._handle.identifier, self._namespace)

    def _find(self) -> "Pod | None":
        from lightkube.resources.core_v1 import Pod

        return self._cluster.find(Pod, self._handle.identifier, self._namespace)


def attach(handle: SandboxHandle) -> KubernetesTransport:
    """Connect to a running pod. Raises `SandboxLostError` when it is gone."""
    settings = KubernetesSettings.resolve({name: value for name, value in handle.details.items() if value})
    transport = KubernetesTransport(connect(settings), settings, handle)
    if not transport.alive():
        raise SandboxLostError(f"the pod {handle.identifier} is gone", subject=handle.identifier)
    return transport


def remove(cluster: Cluster, name: str, namespace: str) -> None:
    """Delete a pod at once. One that is gone is fine."""
    from lightkube.resources.core_v1 import Pod

    cluster.delete(Pod, name, namespace)
