"""One local sandbox: a folder on disk, a first process that outlives the caller, and a Unix socket to reach it.

The sandbox outlives a killed starter: another process can attach. It ends by `stop`, or by itself after its lifetime; then the
reaper, a shell that waits for it, removes the folder. Until its handle is persisted it ends with its starter, even by
`kill -9`, because nobody else could find it.
"""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from cooperbench.environments.contract import (
    OUTSIDE,
    EnvironmentOptions,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.environments.layers.store import content, installed, pins
from cooperbench.environments.local import isolation, outside, store, system_calls
from cooperbench.environments.local.isolation import Isolation
from cooperbench.environments.local.rootfs import kill_processes, prepare_rootfs, remove, variables
from cooperbench.environments.local.stream import LocalStream, socket_folder
from cooperbench.environments.local.view import CONTAINER, INIT, WRITABLE, Mount, SandboxSpec, interpreter
from cooperbench.environments.scope import WORKER_MARK
from cooperbench.errors import (
    ImageError,
    RecordError,
    SandboxError,
    SandboxLostError,
    SilentSandboxError,
    TransportError,
)
from cooperbench.records import cache_dir, write_model

# A signal to all processes of a run, as schedulers send it, means the runner: the agent's work in the sandbox is still wanted.
REAPER = 'trap "" HUP TERM; ( directory=$1; listener=$2; shift 2; "$@"; chmod -f 700 "$directory"/scratch/*/*; rm -rf "$directory" "$listener" ) &'
STOP_SECONDS = 3.0
START_SECONDS = 300.0
"""A failed start hangs up at once. This only bounds one that hangs on a busy machine."""


def sandboxes() -> Path:
    """Return the folder that holds those of local sandboxes."""
    return cache_dir() / "sandboxes"


class LocalTransport(Transport):
    """See `Transport`."""

    below_us = True

    def __init__(self, handle: SandboxHandle, image: store.LocalImage | None) -> None:
        self._handle = handle
        self._image = image
        self._directory = sandboxes() / handle.identifier
        self._socket = Path(handle.details["socket"])
        self._lifeline: int | None = None
        """Our end of the pipe to the first process, until the sandbox may outlive us."""

    @classmethod
    def prepare(cls, image: str, options: EnvironmentOptions, labels: SandboxLabels) -> "LocalTransport":
        """Prepare a sandbox. Raises `ImageError` or, without isolation, `SandboxError`."""
        found = store.find(image)
        if found is None:
            raise ImageError(
                f"the local image {image!r} does not exist",
                subject=image,
                hint="get it: cooperbench images pull, unpack or build --backend local",
            )
        level = isolation.choose(options.allow_unsandboxed and found.record.container is None)
        if level is Isolation.NONE and found.record.container is not None:
            raise SandboxError(
                f"the container image {image!r} cannot run without isolation",
                subject=image,
                hint="use --backend docker",
            )
        identifier = uuid.uuid4().hex[:12]
        handle = SandboxHandle(
            backend="local",
            identifier=identifier,
            image=image,
            options=options,
            labels=labels,
            details={"socket": str(socket_folder() / f"{identifier}.sock")},
            digest=found.record.digest,
            isolation=level.value,
        )
        return cls(handle, found)

    def start(self) -> None:
        """Make the folder and start the first process."""
        assert self._image is not None, "attached sandboxes are already running"
        level = Isolation(self._handle.isolation)
        tools = self._image.path / "opt"
        layers = [installed(name) for name in self._handle.options.layers]
        self._handle = self._handle.model_copy(update={"layers": pins(layers)})
        spec = SandboxSpec(
            directory=self._directory,
            layers=tuple(Mount(layer.place, content(layer)) for layer in layers),
            tools=tools if tools.is_dir() else None,
            network=self._handle.options.network == "full",
            env=variables(self._image, level, self.host_path),
            mounts=self._prepare_rootfs(self._image, level),
            container=self._image.record.container,
        )
        with self._launch(level, spec) as started:
            started.wait()
            try:
                reply = self.run(["sh", "-c", ":"], timeout=START_SECONDS)
            except TransportError as error:
                assert started.stderr is not None
                lines = started.stderr.read().decode("utf-8", "replace").strip().splitlines()
                raise SandboxError(f"the local sandbox did not start: {(lines or [error.message])[-1]}") from error
        if reply.returncode != 0:
            raise SandboxError("the local sandbox cannot run commands", subject=self._handle.image)

    def _prepare_rootfs(self, image: store.LocalImage, level: Isolation) -> tuple[str, ...]:
        try:
            self._directory.mkdir(parents=True)
            write_model(self._directory / "sandbox.json", self._handle)  # first, so that a killed start is found
            return prepare_rootfs(self._directory, image, level)
        except (OSError, RecordError, subprocess.CalledProcessError) as error:
            raise SandboxError(
                f"cannot create the local sandbox: {_reason(error)}",
                subject=self._handle.image,
                hint=f"free space in {cache_dir()}, or set COOPERBENCH_CACHE_DIR to another folder",
            ) from error

    def _launch(self, level: Isolation, spec: SandboxSpec) -> "subprocess.Popen[bytes]":
        """Start the reaper, which leaves the first process running in the background."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._socket))
            listener.listen(64)
            init = INIT if level is not Isolation.NONE else str(self._directory / "etc" / "init.py")
            starter, self._lifeline = os.pipe()
            calls = system_calls.filter_program().hex() if level is not Isolation.NONE else ""
            root = CONTAINER if spec.container is not None else ""
            arguments = [str(listener.fileno()), str(self._handle.options.lifetime), str(starter), calls, root]
            first = [str(interpreter()), "-I", "-S", init, *arguments]
            reaper = ["sh", "-c", REAPER, "cooperbench", str(self._directory), str(self._socket)]
            try:
                return subprocess.Popen(
                    [*reaper, *isolation.command(level, spec, first)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=[listener.fileno(), starter],
                    env={name: value for name, value in os.environ.items() if name != WORKER_MARK},
                )
            finally:
                os.close(starter)

    def persisted(self) -> None:
        """Let the sandbox outlive this process."""
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended, which the next call reports better
                os.write(lifeline, b"k")
            os.close(lifeline)

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run an argv with files as stdin, stdout and stderr, so that nothing blocks on a pipe."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            given.write(stdin)
            given.flush()
            given.seek(0)
            with self._ask({"argv": argv}, [given.fileno(), out.fileno(), errors.fileno()]) as control:
                control.settimeout(timeout)
                try:
                    answer = control.recv(16)
                except TimeoutError as error:
                    raise SilentSandboxError(f"the sandbox did not answer within {timeout:g} s") from error
                except OSError as error:
                    raise TransportError(f"the sandbox did not answer: {error}") from error
            if not answer:
                raise TransportError("the sandbox ended during a command", subject=self._handle.identifier)
            out.seek(0)
            errors.seek(0)
            return RunReply(int(answer), out.read(), errors.read())

    @property
    def outside(self) -> str:
        """The folder at which the other sandbox sees this one's root folder. Without isolation there is not another."""
        return "" if self._handle.isolation == Isolation.NONE else OUTSIDE

    def run_outside(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run an argv in another sandbox."""
        level = Isolation(self._handle.isolation)
        if level is Isolation.NONE:
            return self.run(argv, stdin=stdin, timeout=timeout)
        image = self._image or store.find(self._handle.image)
        return outside.run(self._directory, image, level, argv, stdin, timeout)

    def open(self, argv: list[str]) -> LocalStream:
        """Start an argv on one end of a socket pair."""
        return self._open({"argv": argv})

    def open_program(self, source: str) -> LocalStream:
        """Run a Python program in a fork of the first process, on one end of a socket pair."""
        return self._open({"source": source})

    def _open(self, request: dict[str, object]) -> LocalStream:
        ours, theirs = socket.socketpair()
        with theirs, Path(os.devnull).open("wb") as nowhere:
            try:
                control = self._ask(request, [theirs.fileno(), theirs.fileno(), nowhere.fileno()])
            except TransportError:
                ours.close()
                raise
        return LocalStream(ours, control)

    def alive(self) -> bool:
        """Return whether the first process still listens."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._socket))
        except OSError:
            return False
        return True

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        return self._handle

    def host_path(self, path: str) -> str:
        """Return a path on the host. It differs only without isolation."""
        top = path.strip("/").split("/", 1)[0]
        if self._handle.isolation == Isolation.NONE and top in WRITABLE:
            return f"{self._directory / 'root'}{path}"
        return path

    def snapshot(self) -> str:
        """Copy the sandbox's folders into the image store."""
        name = f"snapshot:{self._handle.identifier}-{uuid.uuid4().hex[:8]}"
        origin = store.find(self._handle.image)
        if origin is None:
            raise ImageError(f"the local image {self._handle.image!r} is gone", subject=self._handle.image)
        store.save_snapshot(name, self.copy_out, origin, self._handle.labels.run)
        return name

    def copy_out(self, target: Path, names: Sequence[str] | None = None) -> None:
        """Copy the sandbox's folders (all, or those named), as they are now, into the new folder `target`."""
        image = self._image or store.find(self._handle.image)
        outside.copy(self._directory, image, Isolation(self._handle.isolation), target, names)

    def stop(self) -> None:
        """End every process and remove the folder."""
        try:
            with self._ask({"stop": True}, []) as control:
                control.settimeout(STOP_SECONDS)
                ended = control.recv(1) == b""
        except (TransportError, OSError):
            ended = not self.alive()
        if not ended:
            kill_processes(self._directory)
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            os.close(lifeline)
        remove(self._directory)
        self._socket.unlink(missing_ok=True)

    def _ask(self, request: dict[str, object], descriptors: list[int]) -> socket.socket:
        text = json.dumps(request).encode()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(STOP_SECONDS if "stop" in request else None)
            connection.connect(str(self._socket))
            socket.send_fds(connection, [len(text).to_bytes(4, "big")], descriptors)
            connection.sendall(text)
        except OSError as error:
            connection.close()
            raise TransportError(f"cannot reach the sandbox: {error}", subject=self._handle.identifier) from error
        return connection


def attach(handle: SandboxHandle) -> LocalTransport:
    """Connect to a running sandbox. Raises `SandboxLostError` when it is gone."""
    transport = LocalTransport(handle, None)
    if not transport.alive():
        raise SandboxLostError(f"the local sandbox {handle.identifier} is gone", subject=handle.identifier)
    return transport


def _reason(error: Exception) -> str:
    """Return the system's message; for a failed program, the last line of its output."""
    if isinstance(error, subprocess.CalledProcessError):
        lines: list[str] = error.stderr.decode("utf-8", "replace").strip().splitlines()
        return (lines or [str(error)])[-1]
    return str(error)
