"""A backend from outside: any program with the command line of `docker`. All that a third party has to write."""

import json
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from cooperbench.environments import (
    Backend,
    BackendSettings,
    Capability,
    Check,
    EnvironmentOptions,
    Orphan,
    Prompt,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Transport,
)
from cooperbench.errors import CapabilityError, ImageError, SandboxLostError, TransportError

LABEL = "example.run"


class PipeStream:
    """A process of the command line with its pipes. Ending that one does not end what it started in the container."""

    def __init__(self, argv: list[str], hang_up: Callable[[], None]) -> None:
        self._hang_up = hang_up
        self._closing = threading.Lock()
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )

    def read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        try:
            return self._process.stdout.read(size) or b""
        except ValueError:
            return b""

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            view = memoryview(data)
            while view:
                view = view[self._process.stdin.write(view) :]
        except (OSError, ValueError) as error:  # ValueError: closed from another thread
            raise TransportError(f"the stream broke: {error}") from error

    def close(self) -> None:
        with self._closing:
            if self._process.returncode is None:
                self._process.kill()
                self._process.wait()
                self._hang_up()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()


def void(_: object) -> None:
    """Nothing is expected of a process that may be gone."""


class ContainerTransport(Transport):
    """One container."""

    def __init__(self, handle: SandboxHandle) -> None:
        self._handle = handle
        self._program = handle.details["program"]

    def start(self) -> None:
        handle = self._handle
        if self._call("image", "inspect", handle.image).returncode != 0:
            raise ImageError(f"there is no image {handle.image!r}", subject=handle.image)
        network = ["--network", "none"] if handle.options.network == "none" else []
        label = f"{LABEL}={handle.labels.run}"
        lifetime = str(int(handle.options.lifetime))
        flags = ["--detach", "--rm", "--init", "--name", handle.identifier, "--label", label, *network]
        started = self._call("run", *flags, "--entrypoint", "sleep", handle.image, lifetime)
        if started.returncode != 0:
            raise SandboxLostError(started.stderr.decode())

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        done = self._call("exec", "--interactive", self._handle.identifier, *argv, stdin=stdin, timeout=timeout)
        if not self.alive():
            raise SandboxLostError(done.stderr.decode(), subject=self._handle.identifier)
        return RunReply(done.returncode, done.stdout, done.stderr)

    def open(self, argv: list[str]) -> PipeStream:
        name = self._handle.identifier
        number = f"/tmp/.stream-{uuid.uuid4().hex[:8]}"
        remember = ["sh", "-c", f'echo $$ >{number}; exec "$@"', "sh", *argv]
        hang_up = ["exec", name, "sh", "-c", f"kill -HUP -$(cat {number}); rm {number}"]
        return PipeStream([self._program, "exec", "--interactive", name, *remember], lambda: void(self._call(*hang_up)))

    def alive(self) -> bool:
        return (
            self._call("inspect", "--format", "{{.State.Running}}", self._handle.identifier).stdout.strip() == b"true"
        )

    def handle(self) -> SandboxHandle:
        return self._handle

    def snapshot(self) -> str:
        raise CapabilityError("this example makes no snapshots")

    def stop(self) -> None:
        self._call("rm", "--force", self._handle.identifier)

    def _call(self, *argv: str, stdin: bytes = b"", timeout: float = 60) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(
                [self._program, *argv], input=stdin, capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TransportError("no answer in time") from error


class ContainerSettings(BackendSettings):
    """What `cooperbench config container-cli` sets."""

    backend: ClassVar[str] = "container-cli"
    guide: ClassVar[str] = "Containers by any program with the command line of `docker`."

    program: Annotated[str, Prompt("Program")] = Field("docker", description="Such as docker, podman or nerdctl.")


class ContainerCommandLine(Backend):
    """The backend, as the entry point names it."""

    name = "container-cli"
    settings = frozenset(ContainerSettings.model_fields)
    configuration = ContainerSettings
    missing_image = Check(name="images", ok=False, detail="must be loaded", fix="load them with the program")

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        return frozenset({Capability.NETWORK_OFF})

    def checks(self) -> Iterator[Check]:
        program = ContainerSettings.resolve({}).program
        found = shutil.which(program)
        yield Check(name="program", ok=found is not None, detail=found or f"{program} is not installed")

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> ContainerTransport:
        return ContainerTransport(
            SandboxHandle(
                backend=self.name,
                identifier=f"example-{uuid.uuid4().hex[:12]}",
                image=image,
                options=options,
                labels=labels,
                details={"program": ContainerSettings.resolve(settings).program},
                isolation="container",
            )
        )

    def attach(self, handle: SandboxHandle) -> ContainerTransport:
        transport = ContainerTransport(handle)
        if not transport.alive():
            raise SandboxLostError(f"{handle.identifier} is gone", subject=handle.identifier)
        return transport

    def orphans(self, run: str | None = None) -> list[Orphan]:
        wanted = LABEL if run is None else f"{LABEL}={run}"
        argv = [
            ContainerSettings.resolve({}).program,
            "ps",
            "--all",
            "--filter",
            f"label={wanted}",
            "--format",
            "{{json .}}",
        ]
        rows = [json.loads(line) for line in subprocess.run(argv, capture_output=True, check=True).stdout.splitlines()]
        return [
            Orphan(
                backend=self.name,
                kind="container",
                identifier=row["Names"],
                run=run or "",
                running=row["State"] == "running",
            )
            for row in rows
        ]

    def remove(self, orphan: Orphan) -> None:
        program = ContainerSettings.resolve({}).program
        subprocess.run([program, "rm", "--force", orphan.identifier], capture_output=True, check=False)
