"""One Modal sandbox.

Facts about the SDK that shape this module (1.5.4 to 1.6):

- An exec's stdin stays open until `write_eof`. `drain` sends what was written, and at most 16 MiB may wait.
- Past the deadline `wait` returns -1 and raises nothing.
- Text mode raises on bytes that are not UTF-8, so everything is bytes.
- There is no call that kills an exec.
"""

import asyncio
import contextlib
import math
import threading
from collections.abc import Iterator
from typing import Any

from cooperbench.environments.background import start_async
from cooperbench.environments.collected import CollectedOutput
from cooperbench.environments.contract import RunReply, SandboxHandle, SandboxLabels, Stream, Transport
from cooperbench.environments.layers.store import cpu_of, installed, pins
from cooperbench.environments.limiter import CreationLimiter, create_patiently
from cooperbench.environments.modal.layers import mounts
from cooperbench.environments.modal.sdk import modal_sdk, our_errors
from cooperbench.environments.scripts import KEEP_ALIVE
from cooperbench.errors import SandboxDamagedError, SandboxError, SandboxLostError, SilentSandboxError, TransportError

APP = "cooperbench"
PLATFORM = "linux/amd64"
CHUNK = 1 << 20
LONGEST_LIFETIME = 24 * 3600
CREATION_INTERVAL = 0.2
"""A workspace may create about five sandboxes a second."""
PATIENCE = 600.0
INTERRUPTED_SECONDS = 10.0
"""Seconds for which an interrupted start waits for its request, to end the sandbox that it created."""
HANG_UP_SECONDS = 20.0
SIGNALLED, SIGNALS = 128, 32
"""A process that a signal killed has an exit code above the first, by the signal's number."""
SNAPSHOT_PREFIX = "modal-snapshot:"
# The first line names the process to hang up on when the stream is closed.
ANNOUNCE = 'echo $$; exec "$@"'


class ModalTransport(Transport):
    """See `Transport`."""

    def __init__(self, handle: SandboxHandle, sandbox: Any = None) -> None:
        self._handle = handle
        self._sandbox = sandbox

    @property
    def _id(self) -> str:
        return self._handle.identifier

    def start(self) -> None:
        """Create the sandbox. Wait for our turn among all processes of this user, and while Modal has no capacity."""
        layers = [installed(name, cpu_of(PLATFORM)) for name in self._handle.options.layers]
        volumes = mounts(layers)
        limiter = CreationLimiter("modal", interval=CREATION_INTERVAL)
        self._sandbox = create_patiently(lambda: self._create(volumes), limiter, patience=PATIENCE)
        update = {"identifier": self._sandbox.object_id, "isolation": "modal", "layers": pins(layers)}
        self._handle = self._handle.model_copy(update=update)

    def _create(self, volumes: dict[str, Any]) -> Any:
        creation = start_async(self._created(volumes))
        try:
            with our_errors(self._handle.image):
                return creation.result()
        except Exception:
            raise
        except (
            BaseException
        ):  # an interrupt: the request may be under way, and a sandbox without an owner would cost money
            with contextlib.suppress(Exception):
                creation.result(INTERRUPTED_SECONDS).terminate()
            creation.cancel()
            raise

    async def _created(self, volumes: dict[str, Any]) -> Any:
        modal, options, labels = modal_sdk(), self._handle.options, self._handle.labels
        app = await modal.App.lookup.aio(APP, create_if_missing=True)
        return await modal.Sandbox.create.aio(
            *("sh", "-c", KEEP_ALIVE, "sh", str(LONGEST_LIFETIME)),
            app=app,
            image=_image(modal, self._handle.image),
            timeout=min(LONGEST_LIFETIME, math.ceil(options.lifetime)),
            tags=tags(labels),
            volumes=volumes,
            block_network=options.network == "none",
            # A pair is a request and a limit; a single number would be a request only.
            cpu=None if options.cpus is None else (options.cpus, options.cpus),
            memory=None if options.memory_mb is None else (options.memory_mb, options.memory_mb),
        )

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one argv. Modal's worker buffers both outputs, so reading one after the other cannot block."""
        with self._whose_end(), our_errors(self._id):
            process = self._sandbox.exec(*argv, text=False, timeout=max(1, math.ceil(timeout)))
            self._give(process, stdin)
            out, errors = process.stdout.read(), process.stderr.read()
            code = process.wait()
        if code == -1:
            raise SilentSandboxError(f"the command did not end within {timeout:g} s", subject=self._id)
        return RunReply(code, out, errors)

    @contextlib.contextmanager
    def _whose_end(self) -> Iterator[None]:
        try:
            yield
        except SandboxLostError as error:
            if self.ended_from_inside():
                raise SandboxDamagedError("what ran in the sandbox has ended it", subject=self._id) from error
            raise

    def ended_from_inside(self) -> bool:
        """Return whether the main process was killed by a signal although nobody terminated the sandbox: Modal raises then."""
        if self.alive():
            return False
        try:
            with our_errors(self._id):
                self._sandbox.wait(raise_on_termination=True)
                code: int | None = self._sandbox.poll()
        except SandboxError:
            return False
        return code is not None and SIGNALLED < code < SIGNALLED + SIGNALS

    def _give(self, process: Any, stdin: bytes) -> None:
        conflict = modal_sdk().exception.ConflictError
        try:
            for begin in range(0, len(stdin), CHUNK):
                process.stdin.write(stdin[begin : begin + CHUNK])
                process.stdin.drain()
            process.stdin.write_eof()
            process.stdin.drain()
        except (conflict, ValueError):
            return  # the process ended without reading its input, as it may

    def open(self, argv: list[str]) -> Stream:
        """Start one argv; the background loop collects its output."""
        with self._whose_end(), our_errors(self._id):
            process = self._sandbox.exec("sh", "-c", ANNOUNCE, "sh", *argv, text=False)
        return ModalStream(self._sandbox, process, self._id)

    def alive(self) -> bool:
        """Return whether Modal says that the sandbox runs."""
        try:
            with our_errors(self._id):
                return self._sandbox.poll() is None
        except SandboxLostError:
            return False

    def handle(self) -> SandboxHandle:
        """Return the handle."""
        return self._handle

    def snapshot(self) -> str:
        """Save the file system as a Modal image."""
        with our_errors(self._id):
            return f"{SNAPSHOT_PREFIX}{self._sandbox.snapshot_filesystem().object_id}"

    def stop(self) -> None:
        """Terminate the sandbox and close the connection to its worker."""
        sandbox, self._sandbox = self._sandbox, _Stopped(self._id)
        if sandbox is None or isinstance(sandbox, _Stopped):
            return
        try:
            with contextlib.suppress(SandboxLostError), our_errors(self._id):
                sandbox.terminate()
        finally:
            sandbox.detach()


class _Stopped:
    """Stands in for a stopped sandbox."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier

    def __getattr__(self, name: str) -> Any:
        raise SandboxLostError("the environment was cleaned up", subject=self._identifier)


class ModalStream:
    """An exec whose output one task of the background loop pumps into a queue."""

    def __init__(self, sandbox: Any, process: Any, identifier: str) -> None:
        self._sandbox = sandbox
        self._process = process
        self._identifier = identifier
        self._output = CollectedOutput()
        self._closed = False
        self._writing = threading.Lock()
        self._pid: bytes | None = None
        self._announced = asyncio.Event()
        self._pump = start_async(self._collect())

    def read(self, size: int) -> bytes:
        """Block, and return at most `size` bytes; empty at the end."""
        return self._output.read(size)

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises `TransportError`."""
        with self._writing:
            if self._closed:
                raise TransportError("the stream is closed", subject=self._identifier)
            try:
                with our_errors(self._identifier):
                    for begin in range(0, len(data), CHUNK):
                        self._process.stdin.write(data[begin : begin + CHUNK])
                        self._process.stdin.drain()
            except SandboxLostError as error:
                raise TransportError(f"the stream broke: {error.message}", subject=self._identifier) from error

    def close(self) -> None:
        """Hang up on the process without waiting for its end, unblocking a reader."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
        self._output.end()
        start_async(self._hang_up())

    async def _collect(self) -> None:
        try:
            first = b""
            async for chunk in self._process.stdout:
                if self._pid is None:
                    first += chunk
                    if b"\n" not in first:
                        continue
                    self._pid, _, chunk = first.partition(b"\n")
                    self._announced.set()
                if chunk:
                    await self._output.put(chunk)
        except Exception:  # whatever broke it, the reader sees the end of the stream, and the next write reports why
            return
        finally:
            self._output.end()
            self._announced.set()

    async def _hang_up(self) -> None:
        with contextlib.suppress(Exception):  # the sandbox may be gone, and the process with it
            await asyncio.wait_for(self._announced.wait(), HANG_UP_SECONDS)
            finished = self._pump.done()
            self._pump.cancel()
            if self._pid is not None and not finished:
                pid = self._pid.decode()
                script = f"kill -HUP -{pid} {pid}"
                process = await self._sandbox.exec.aio("sh", "-c", script, timeout=int(HANG_UP_SECONDS))
                await process.wait.aio()


def tags(labels: SandboxLabels) -> dict[str, str]:
    """Return the tags that every sandbox of ours carries."""
    found = {"run": labels.run, "episode": labels.episode, "agent": labels.agent_id, "owner": labels.owner}
    return {"cooperbench": "1", **{f"cooperbench-{name}": value for name, value in found.items() if value}}


def _image(modal: Any, name: str) -> Any:
    if name.startswith(SNAPSHOT_PREFIX):
        return modal.Image.from_id(name.removeprefix(SNAPSHOT_PREFIX))
    return modal.Image.from_registry(name).entrypoint([])


def attach(handle: SandboxHandle) -> ModalTransport:
    """Connect to a running sandbox. Raises `SandboxLostError` when it is gone."""
    with our_errors(handle.identifier):
        sandbox = modal_sdk().Sandbox.from_id(handle.identifier)
    transport = ModalTransport(handle, sandbox)
    if not transport.alive() and not transport.ended_from_inside():
        raise SandboxLostError(f"the Modal sandbox {handle.identifier} is gone", subject=handle.identifier)
    return transport
