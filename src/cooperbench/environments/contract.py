"""What a sandbox is, whatever runs it.

`Environment` is the one class that agents and the evaluation use. Backends differ only in a `Transport`: start a sandbox, run
a short argv in it with bytes in and bytes out, keep one long-lived stream open, stop it. Everything that has to behave the
same everywhere (time limits, killing whole process trees, capped output, exactly-once) is done by one small POSIX shell
supervisor inside the sandbox, see `docs/design/environments.md`.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self, TypedDict, runtime_checkable

from pydantic import Field

from cooperbench.errors import TransportError
from cooperbench.records import Record

_CHUNK = 1 << 16


class ExecuteResult(TypedDict):
    """What one command did. A dictionary, because the published agent interface reads it as one."""

    output: str
    """stdout and stderr in the order written; bytes that are not UTF-8 become U+FFFD; head and tail when it was too long."""
    returncode: int
    """The exact exit code; 124 past the time limit, 128+n when killed by signal n, 127 for an unknown command."""
    timed_out: bool
    truncated: bool
    seconds: float


class Capability(StrEnum):
    """What a backend may or may not be able to do. Asking for a missing one is a `CapabilityError` before start."""

    SNAPSHOT = "snapshot"
    NETWORK_OFF = "network_off"
    MEMORY_LIMIT = "memory_limit"
    CPU_LIMIT = "cpu_limit"
    PROCESS_LIMIT = "process_limit"


class EnvironmentOptions(Record):
    """How a sandbox is set up. The same words on every backend."""

    cwd: str = Field("/workspace/repo", description="Working directory of commands that name no other.")
    lifetime: float = Field(
        3600.0, gt=0, description="Seconds after which the sandbox ends by itself, whoever is still there."
    )
    command_timeout: float = Field(120.0, gt=0, description="Seconds for a command that names no other limit.")
    output_limit: int = Field(
        50_000, ge=1_000, description="Characters of output kept per command, half head and half tail."
    )
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables of every command.")
    network: Literal["default", "none", "full"] = Field(
        "default",
        description="`none` leaves only loopback; `default` is the backend's way: off on local, on where it is a container.",
    )
    memory_mb: int | None = Field(None, ge=16)
    cpus: float | None = Field(None, gt=0)
    processes: int | None = Field(None, ge=8)
    platform: str | None = Field(None, description="Such as linux/amd64; the engine's own by default.")
    allow_unsandboxed: bool = Field(
        False, description="Let the local backend run without isolation where the system offers none."
    )

    def needed_capabilities(self) -> dict[Capability, str]:
        """Return what a backend must be able to do for these options, and the option that asks for it."""
        limits = {
            Capability.MEMORY_LIMIT: ("memory_mb", self.memory_mb),
            Capability.CPU_LIMIT: ("cpus", self.cpus),
            Capability.PROCESS_LIMIT: ("processes", self.processes),
        }
        needed = {able: f"{name}={value}" for able, (name, value) in limits.items() if value is not None}
        return needed | ({Capability.NETWORK_OFF: "network='none'"} if self.network == "none" else {})


class SandboxLabels(Record):
    """Whose sandbox it is. Everything that a backend creates carries these, so that orphans can be found."""

    run: str = "adhoc"
    episode: str = "adhoc"
    agent_id: str = "agent"


class SandboxHandle(Record):
    """Enough to find a running sandbox again from another process: to capture its work, or to end it."""

    backend: str
    identifier: str = Field(description="Container id, sandbox id, or directory.")
    image: str
    options: EnvironmentOptions
    labels: SandboxLabels
    details: dict[str, str] = Field(default_factory=dict, description="What the backend needs besides: host, zone, …")
    digest: str | None = Field(None, description="Content address of the image, where the backend knows one.")
    isolation: str = ""


class RunReply(NamedTuple):
    """What a transport's `run` gives back."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Stream(Protocol):
    """A long-lived process in the sandbox, with its standard input and output."""

    def read(self, size: int) -> bytes:
        """Block until at least one byte is there and return at most `size`; empty at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises `TransportError` when the stream is broken."""
        ...

    def close(self) -> None:
        """End the process and free the stream. Twice is fine; unblocks a reader in another thread."""
        ...


class FrameReader:
    """Reads lines and counted bytes from one stream, in one thread. Every method raises `TransportError` at the stream's end."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def read_line(self) -> bytes:
        """Return the next line, without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        data = self._stream.read(_CHUNK)
        if not data:
            raise TransportError("the stream to the sandbox ended")
        self._buffer += data


class Transport(Protocol):
    """One sandbox of one backend: thin, without policy. Raises the classes below `SandboxError`.

    Derive from it to have the defaults below.
    """

    resident: bool = True
    """Whether one long-lived stream may carry all commands, where the image has Python; else each is a `run` of its own."""

    def start(self) -> None:
        """Create the sandbox and wait until commands can run."""
        ...

    def persisted(self) -> None:
        """Let the sandbox outlive this process. Called once the handle is persisted.

        A sandbox whose starter is killed before that should end with it, if that can be had. By default nothing changes: the
        lifetime ends it, and its labels find it.
        """
        return

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one short argv (no more than 32 KiB) with `stdin` and then end of file."""
        ...

    def open(self, argv: list[str]) -> Stream:
        """Start one argv and keep its standard input and output."""
        ...

    def alive(self) -> bool:
        """Whether the sandbox still exists, by the word of the engine. Raises `TransportError` if that cannot be known."""
        ...

    def handle(self) -> SandboxHandle:
        """How to find this sandbox again, what it started from, and what keeps it apart. Valid once started."""
        ...

    def host_path(self, path: str) -> str:
        """Return where an absolute path of the sandbox really is: the same path, except without any isolation."""
        return path

    def snapshot(self) -> str:
        """Keep the present file system as an image and return its name. Raises `CapabilityError` where impossible."""
        ...

    def stop(self) -> None:
        """End the sandbox at once. Twice is fine."""
        ...


@runtime_checkable
class HostsPrograms(Protocol):
    """A transport whose sandboxes have a Python at work already, which can run another program without starting anew."""

    def open_program(self, source: str) -> Stream:
        """Start a program of the standard library only, and keep its standard input and output."""
        ...


class Environment(ABC):
    """A sandbox with a file system, in which commands run."""

    backend: str
    image: str
    options: EnvironmentOptions
    labels: SandboxLabels

    @abstractmethod
    def execute(
        self, command: str, *, timeout: float | None = None, cwd: str | None = None, env: dict[str, str] | None = None
    ) -> ExecuteResult:
        """Run a shell command with closed stdin and wait for it.

        `timeout` is in seconds. A failing command is a result, not an exception. Raises `SandboxLostError` when the sandbox is
        gone or was cleaned up, `TransportError` when it cannot be reached.
        """

    @abstractmethod
    def add_to_path(self, folder: str) -> None:
        """Look for programs in this folder of the sandbox first, in every later command. Twice is fine."""

    @abstractmethod
    def read_file(self, path: str) -> bytes:
        """Return the file's bytes. Raises `FileNotFoundError`."""

    @abstractmethod
    def write_file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Put `data` at `path`, making its parent folders."""

    @abstractmethod
    def run_script(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run a POSIX shell script of the harness in the default folder, with bytes in and out and nothing cut.

        When the connection breaks, it runs again: it must not matter that it runs twice, nor whether end of file ever comes after
        `stdin`. All of it together is no longer than 32 KiB, `stdin` aside. `timeout` is in seconds.
        """

    @abstractmethod
    def open_stream(self, command: str) -> Stream:
        """Start a shell command and keep its stdin and stdout open; used for the line between `coop` and the harness."""

    @abstractmethod
    def snapshot(self) -> str:
        """Keep the file system as an image and return its name. Raises `CapabilityError` where the backend cannot."""

    @abstractmethod
    def handle(self) -> SandboxHandle:
        """How another process finds this sandbox."""

    @property
    @abstractmethod
    def isolation(self) -> str:
        """What keeps the sandbox apart from its host, in a word: `docker`, `bubblewrap`, `unshare`, `none`, …"""

    @property
    @abstractmethod
    def image_digest(self) -> str | None:
        """Content address of what it was started from, where the backend knows one."""

    @abstractmethod
    def cleanup(self) -> None:
        """End the sandbox and free what it holds. Twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cleanup()
