"""One container: created with our labels, kept alive by `SERVE`, removed by force."""

import contextlib
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from cooperbench.environments.contract import (
    OUTSIDE,
    EnvironmentOptions,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.environments.docker import hijack, images, layers, network, outside
from cooperbench.environments.docker.creation import create
from cooperbench.environments.docker.engine import DockerEngine, connect, translated
from cooperbench.environments.docker.hijack import STDERR, STDOUT
from cooperbench.environments.docker.labels import LABEL, labels_of
from cooperbench.environments.docker.removal import remove, remove_late
from cooperbench.environments.docker.stream import ContainerStream, DockerStream
from cooperbench.environments.scripts import LAUNCH
from cooperbench.errors import (
    CapabilityError,
    ImageError,
    SandboxDamagedError,
    SandboxError,
    SandboxLostError,
    SilentSandboxError,
    TransportError,
)

if TYPE_CHECKING:
    from docker.models.containers import Container

ANNOUNCE = 'printf "\\ncooperbench %s\\n" $$ >&2; exec "$@"'
"""Says which process it is, in a line of its own: programs of an image may write to stderr before."""
PATCHES = """mkdir -p /patches && chmod 1777 /patches
! command -v git >/dev/null || git config --system --add safe.directory '*'
"""
"""For images with a user who may not do this: make where runners read patches, and trust repositories of other users."""


class DockerTransport(Transport):
    """See `Transport`."""

    def __init__(self, engine: DockerEngine, handle: SandboxHandle) -> None:
        self._engine = engine
        self._handle = handle
        self._stopped = False
        self._served: hijack.Attached | None = None
        """The connection to the first process, until a program is sent there."""
        self._proven = True
        """Set when the image is known to run a shell; a running container has shown it."""

    @classmethod
    def prepare(
        cls, image: str, options: EnvironmentOptions, labels: SandboxLabels, host: str | None
    ) -> "DockerTransport":
        """Prepare a container."""
        handle = SandboxHandle(
            backend="docker",
            identifier=f"cooperbench-{uuid.uuid4().hex[:12]}",
            image=image,
            options=options,
            labels=labels,
            details={} if host is None else {"host": host},
            isolation="docker",
        )
        return cls(connect(host), handle)

    def start(self) -> None:
        """Create and start the container. Its name is fixed before, so that an interrupted start leaves nothing."""
        options, image = self._handle.options, self._handle.image
        found = images.ensure_pulled(self._engine, image, options.platform)
        root = found.user in ("", "0", "root")
        shown = layers.of_image(self._engine, image, options)
        self._handle = self._handle.model_copy(update={"digest": found.digest, "layers": layers.pins(shown)})
        hosts, mounts = network.resolved(options.allowed_hosts), layers.mounts(self._engine, image, shown)
        try:
            with translated(image):
                create(self._engine, self._handle, {**network.options_of(options, hosts), **mounts}, root=root)
                with contextlib.suppress(TransportError):  # an exec does the same, only slower
                    self._served = hijack.attach(self._engine, self._handle.identifier)
                self._engine.client.api.start(self._handle.identifier)
            self._proven = False
            if options.network != "none":
                network.keep_from_host(self._engine, self, labels_of(self._handle), hosts)
        except (KeyboardInterrupt, SystemExit):
            remove_late(self._engine, self._handle.identifier)
            raise
        except ImageError as error:
            raise self._unusable(error.message) from error
        except SandboxError as error:
            if not isinstance(error, CapabilityError):
                self._prove()
            raise
        if not root:
            self.run(["sh", "-c", PATCHES], timeout=60, user="0")

    def _prove(self) -> None:
        """Raise `ImageError` when the image does not even run a shell. Called after a failure only: it takes 70 ms."""
        if self._proven:
            return
        try:
            reply = self.run(["sh", "-c", ":"], timeout=60)
        except (SandboxDamagedError, SandboxLostError) as error:
            raise self._unusable(error.message) from error
        if reply.returncode != 0:
            raise self._unusable((reply.stderr or reply.stdout).decode("utf-8", "replace").strip())

    def _unusable(self, message: str) -> ImageError:
        """Return the reason why an image does not even run a shell."""
        image = self._handle.image
        ours, theirs = images.architectures(self._engine, image)
        if ours != theirs:
            return ImageError(
                f"the image {image!r} is for {theirs}, but the engine runs {ours}",
                subject=image,
                hint="build it for this processor: cooperbench images build",
            )
        return ImageError(f"the image {image!r} does not run a shell: {message}", subject=image)

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float, user: str = "") -> RunReply:
        """Run an argv as the image's user or another: write and close stdin, then read both outputs to their end."""
        exec_id = self._prepare(argv, stdin=bool(stdin), user=user)
        attached = hijack.start(self._engine, exec_id)
        outputs = {STDOUT: bytearray(), STDERR: bytearray()}
        deadline = time.monotonic() + timeout
        try:
            if stdin:
                attached.send(stdin)
                attached.end_input()
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise SilentSandboxError("the container did not answer in time", subject=self._handle.identifier)
                attached.settimeout(left)
                kind, data = attached.receive(1 << 16)
                if not data:
                    break
                outputs.setdefault(kind, bytearray()).extend(data)
        finally:
            attached.close()
        return RunReply(self._exit_code(exec_id), bytes(outputs[STDOUT]), bytes(outputs[STDERR]))

    @property
    def outside(self) -> str:
        """The folder at which the other container sees this one's files."""
        return OUTSIDE

    def run_outside(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run an argv as root in another container of the same image, which sees the files of this one."""
        with outside.beside(self._engine, self._handle, labels_of(self._handle)) as name:
            other = DockerTransport(self._engine, self._handle.model_copy(update={"identifier": name}))
            return other.run(argv, stdin=stdin, timeout=timeout)

    def open(self, argv: list[str]) -> DockerStream:
        """Start an argv and keep its connection. The first one in a new container shows whether its image is usable."""
        try:
            stream = self._open(argv)
        except (SandboxDamagedError, SandboxLostError, TransportError):
            self._prove()
            raise
        self._proven = True
        return stream

    def open_program(self, source: str) -> ContainerStream:
        """Send a program to the first process, or start it by an exec if that has one already."""
        served, self._served = self._served, None
        if served is None:
            stream = self.open(["sh", "-c", LAUNCH])
            with contextlib.suppress(TransportError):  # without Python the shell has answered and ended
                stream.write(source.encode())
            return stream
        try:
            served.send(source.encode())
            _, early = served.receive(1)
            if not early:
                raise TransportError("the container ended when it started", subject=self._handle.identifier)
        except TransportError:
            served.close()
            self._prove()
            raise
        self._proven = True
        served.settimeout(None)
        return ContainerStream(served, early)

    def _open(self, argv: list[str]) -> DockerStream:
        exec_id = self._prepare(["sh", "-c", ANNOUNCE, "sh", *argv], stdin=True)
        attached = hijack.start(self._engine, exec_id)
        try:
            announced, early = b"", b""
            while not (found := re.search(rb"^cooperbench (\d+)\n", announced, re.MULTILINE)):
                kind, data = attached.receive(1)
                if not data:
                    raise TransportError("the process ended before it started", subject=self._handle.identifier)
                if kind == STDERR:
                    announced += data
                else:
                    early += data  # the engine forwards the two outputs separately, so the later one may arrive first
        except BaseException:
            attached.close()
            raise
        attached.settimeout(None)
        return DockerStream(self, attached, exec_id, int(found.group(1)), early)

    def hang_up(self, exec_id: str, process: int) -> None:
        """Send SIGHUP to a process that was started with `open`, if it and the container still run."""
        if self._stopped:
            return
        with contextlib.suppress(SandboxError), translated(self._handle.identifier):
            if self._engine.client.api.exec_inspect(exec_id)["Running"]:
                number = self._prepare(["sh", "-c", f"kill -HUP -{process} {process}"], stdin=False)
                self._engine.client.api.exec_start(number, detach=True)

    def alive(self) -> bool:
        """Return whether the engine says that the container runs."""
        try:
            with translated(self._handle.identifier):
                return bool(self._container().attrs["State"]["Running"])
        except SandboxLostError:
            return False

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        return self._handle

    def snapshot(self) -> str:
        """Commit the container's file system to an image with our label."""
        tag = uuid.uuid4().hex[:12]
        with translated(self._handle.identifier):
            changes = [f"LABEL {LABEL}={self._handle.labels.run}"]
            self._container().commit(repository=images.SNAPSHOTS, tag=tag, changes=changes)
        return f"{images.SNAPSHOTS}:{tag}"

    def stop(self) -> None:
        """Kill and remove the container with its volumes, and wait until it is gone."""
        self._stopped = True
        if self._served is not None:
            self._served.close()
        remove(self._engine, self._handle.identifier)

    def _prepare(self, argv: list[str], *, stdin: bool, user: str = "") -> str:
        with translated(self._handle.identifier):
            made: dict[str, Any] = self._engine.client.api.exec_create(
                self._handle.identifier, argv, stdin=stdin, user=user, workdir="/"
            )
        return str(made["Id"])

    def _exit_code(self, exec_id: str) -> int:
        with translated(self._handle.identifier):
            code = self._engine.client.api.exec_inspect(exec_id)["ExitCode"]
        if code is None:
            raise TransportError("the command's connection ended before the command", subject=self._handle.identifier)
        return int(code)

    def _container(self) -> "Container":
        return self._engine.client.containers.get(self._handle.identifier)


def attach(handle: SandboxHandle) -> DockerTransport:
    """Connect to a running container. Raises `SandboxLostError` when it is gone."""
    transport = DockerTransport(connect(handle.details.get("host")), handle)
    if not transport.alive():
        raise SandboxLostError(f"the container {handle.identifier} is gone", subject=handle.identifier)
    return transport
