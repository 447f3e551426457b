"""The interface between an `Environment` and the backend that runs it.

Backends differ only in a `Transport`: start a sandbox, run a short argv in it with bytes in and bytes out, keep one long-lived
stream open, stop it. A small supervisor inside the sandbox does everything that must behave the same everywhere (time limits,
killing whole process trees, capped output, exactly-once), see `docs/design/environments.md`.
"""

import re
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Literal, NamedTuple, Protocol, Self, TypedDict, runtime_checkable

from pydantic import AfterValidator, Field, model_validator

from cooperbench.errors import TransportError
from cooperbench.records import Record
from cooperbench.records.run_owner import current_owner

_CHUNK = 1 << 16
OUTSIDE = "/cooperbench-files"
"""A folder for `SeenFromOutside.outside`."""


class ExecuteResult(TypedDict):
    """The result of a command. A dictionary, because the published agent interface reads it as one."""

    output: str
    """stdout and stderr in the order written; bytes that are not UTF-8 become U+FFFD. Only head and tail of long output."""
    returncode: int
    """The exact exit code; 124 past the time limit, 128+n when killed by signal n, 127 for an unknown command."""
    timed_out: bool
    truncated: bool
    seconds: float


class Capability(StrEnum):
    """A feature that not every backend has. Asking for a missing one raises `CapabilityError` before the start."""

    SNAPSHOT = "snapshot"
    NETWORK_OFF = "network_off"
    NETWORK_ALLOWLIST = "network_allowlist"
    NETWORK_FULL = "network_full"
    """The internet, without the networks of the machine on which the sandbox runs."""
    MEMORY_LIMIT = "memory_limit"
    CPU_LIMIT = "cpu_limit"
    PROCESS_LIMIT = "process_limit"
    LAYERS = "layers"
    """Read-only layers with the programs of agents."""


_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")


def check_host(host: str) -> str:
    """Return `host`. Raises `ValueError` unless it is a host name, or an IPv4 address that a sandbox may reach."""
    if not host.isascii() or len(host) > 253 or not all(map(_LABEL.fullmatch, host.split("."))):
        raise ValueError(f"{host!r} is not the name of a host or an IPv4 address")
    if host.replace(".", "").isdecimal():
        address = IPv4Address(host)  # an AddressValueError is a ValueError
        if address.is_link_local or address.is_loopback or address.is_unspecified or address.is_multicast:
            raise ValueError(f"{host} is not an address that a sandbox may reach")
    return host


NetworkMode = Literal["none", "allowlist", "full"]
HostName = Annotated[str, AfterValidator(check_host)]


class EnvironmentOptions(Record):
    """The settings of a sandbox, the same on every backend."""

    cwd: str = Field("/workspace/repo", description="Default working directory of commands.")
    lifetime: float = Field(
        3600.0, gt=0, description="Seconds after which the sandbox ends by itself, whatever still runs in it."
    )
    command_timeout: float = Field(120.0, gt=0, description="Default time limit of a command, in seconds.")
    output_limit: int = Field(
        50_000, ge=1_000, description="Characters of output to keep per command, half head and half tail."
    )
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables of every command.")
    network: Literal["default", "none", "allowlist", "full"] = Field(
        "default",
        description="`none` leaves only loopback, `allowlist` only `allowed_hosts`, `full` the internet. `default` is the backend's.",
    )
    allowed_hosts: tuple[HostName, ...] = Field(
        (), description="Names or IPv4 addresses that `allowlist` leaves; resolved when the sandbox starts."
    )
    memory_mb: int | None = Field(None, ge=16)
    cpus: float | None = Field(None, gt=0)
    processes: int | None = Field(None, ge=8)
    layers: tuple[str, ...] = Field(
        (), description="Names of installed layers, which the sandbox shows read-only below /opt/cooperbench/layers."
    )
    platform: str | None = Field(None, description="Such as linux/amd64; the engine's own by default.")
    allow_unsandboxed: bool = Field(
        False, description="Let the local backend run without isolation where the system offers none."
    )

    def needed_capabilities(self) -> dict[Capability, str]:
        """Return the capabilities that these options need, each with the option that needs it."""
        limits = {
            Capability.MEMORY_LIMIT: ("memory_mb", self.memory_mb),
            Capability.CPU_LIMIT: ("cpus", self.cpus),
            Capability.PROCESS_LIMIT: ("processes", self.processes),
        }
        needed = {able: f"{name}={value}" for able, (name, value) in limits.items() if value is not None}
        if self.layers:
            needed[Capability.LAYERS] = f"the layer of {self.layers[0]}"
        networks = {
            "none": Capability.NETWORK_OFF,
            "allowlist": Capability.NETWORK_ALLOWLIST,
            "full": Capability.NETWORK_FULL,
        }
        able = networks.get(self.network)
        if able is None or (able is Capability.NETWORK_FULL and self.allow_unsandboxed):
            return needed
        return needed | {able: f"network={self.network!r}"}

    @model_validator(mode="after")
    def _check_hosts(self) -> Self:
        if (self.network == "allowlist") != bool(self.allowed_hosts):
            raise ValueError(
                "the network 'allowlist' needs allowed hosts: --allow-host pypi.org"
                if not self.allowed_hosts
                else "allowed hosts need the network 'allowlist': --network allowlist"
            )
        return self


class SandboxLabels(Record):
    """The owner of a sandbox. Everything that a backend creates carries these labels, so that orphans can be found."""

    run: str = "adhoc"
    episode: str = "adhoc"
    agent_id: str = "agent"
    owner: str = Field(
        default_factory=current_owner,
        description="The run directory for which this process works; empty outside a run.",
    )


class SandboxHandle(Record):
    """Enough to find a running sandbox again from another process: to capture its work, or to end it."""

    backend: str
    identifier: str = Field(description="Container id, sandbox id, or directory.")
    image: str
    options: EnvironmentOptions
    labels: SandboxLabels
    details: dict[str, str] = Field(default_factory=dict, description="What else the backend needs: host, zone, …")
    digest: str | None = Field(None, description="Content address of the image, where the backend knows one.")
    isolation: str = ""
    layers: dict[str, str] = Field(default_factory=dict, description="Its layers, each with version and digest.")


class RunReply(NamedTuple):
    """The result of a transport's `run`."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Stream(Protocol):
    """A long-lived process in the sandbox, with its standard input and output."""

    def read(self, size: int) -> bytes:
        """Block until a byte arrives, and return at most `size` bytes; empty at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Write all of `data`. Raises `TransportError` when the stream is broken."""
        ...

    def close(self) -> None:
        """End the process and free the stream, unblocking a reader in another thread. Twice is fine."""
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
    """Set when one long-lived stream may carry all commands of an image with Python; otherwise each is a `run` of its own."""
    below_us: bool = False
    """Set when what runs in the sandbox descends from this process, so that a signal to all of a job's processes reaches it."""

    def start(self) -> None:
        """Create the sandbox and wait until commands can run."""
        ...

    def persisted(self) -> None:
        """Let the sandbox outlive this process. Called once the handle is persisted.

        A sandbox whose starter is killed before that should end with it, where possible. By default nothing changes: the lifetime
        ends the sandbox, and its labels find it.
        """
        return

    def run(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one short argv (at most 32 KiB) with `stdin`, then end of file."""
        ...

    def open(self, argv: list[str]) -> Stream:
        """Start one argv and keep its standard input and output open."""
        ...

    def alive(self) -> bool:
        """Return whether the engine says that the sandbox exists. Raises `TransportError` if the engine cannot be reached."""
        ...

    def handle(self) -> SandboxHandle:
        """Return how to find this sandbox again, its image and its isolation. Valid once started."""
        ...

    def host_path(self, path: str) -> str:
        """Return where an absolute path of the sandbox really is: the same path, except without any isolation."""
        return path

    def snapshot(self) -> str:
        """Save the file system as an image and return its name. Raises `CapabilityError` where impossible."""
        ...

    def stop(self) -> None:
        """End the sandbox at once. Twice is fine."""
        ...


@runtime_checkable
class HostsPrograms(Protocol):
    """A transport whose sandboxes start with a process that can run a Python program."""

    def open_program(self, source: str) -> Stream:
        """Start a program that uses only the standard library, and keep its standard input and output open.

        It ends with `scripts.END`. Where there is no Python, the output is `none`.
        """
        ...


@runtime_checkable
class SeenFromOutside(Protocol):
    """A transport that can run programs on a sandbox's files where nothing in the sandbox can reach them."""

    @property
    def outside(self) -> str:
        """Folder at which those programs see the sandbox's root folder, read-only."""
        ...

    def run_outside(self, argv: list[str], *, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run one argv with the programs of the image as they were at the start. Raises what `run` raises."""
        ...
