"""`Environment`, the class that agents and the evaluation use: scope and options, files, and commands through the supervisor."""

import posixpath
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import socket
from types import TracebackType
from typing import Self
from weakref import WeakSet

from cooperbench.environments.command import Command
from cooperbench.environments.contract import (
    EnvironmentOptions,
    ExecuteResult,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    SeenFromOutside,
    Stream,
    Transport,
)
from cooperbench.environments.loopback import LoopbackService
from cooperbench.environments.process import Process
from cooperbench.environments.registry import get_backend
from cooperbench.environments.scope import EnvironmentScope, current_scope
from cooperbench.environments.scripts import ENTER, FILE_TIMEOUT, MISSING, TRUST
from cooperbench.environments.supervision import Supervisor
from cooperbench.errors import SandboxDamagedError, SandboxLostError
from cooperbench.records import utc_now, write_model

_open: "WeakSet[Environment]" = WeakSet()


class Environment:
    """A sandbox with a file system, in which commands run, on the named backend or on the one that the active scope chooses.

    Raises `CapabilityError` for an option that the backend cannot keep, `ImageError`, `SandboxCredentialsError`, `QuotaError`
    or `CapacityError` when it cannot start. A start that is interrupted leaves nothing behind.
    """

    def __init__(
        self,
        backend: str,
        image: str,
        *,
        options: EnvironmentOptions | None = None,
        labels: SandboxLabels | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        scope = current_scope()
        options, labels, settings = options or EnvironmentOptions(), labels or SandboxLabels(), settings or {}
        if scope is not None:
            if scope.backend is not None and scope.backend != backend:
                backend, settings = scope.backend, {}  # the settings belong to the other backend
            options = EnvironmentOptions.model_validate({**options.model_dump(), **scope.overrides})
            labels = scope.labels
        implementation = get_backend(backend)
        implementation.check_options(options, settings)
        self._start(implementation.transport(image, options, labels, settings), scope)

    @classmethod
    def from_transport(cls, transport: Transport) -> "Environment":
        """Start a sandbox over a given transport; for authors of backends and their tests."""
        environment = cls.__new__(cls)
        environment._start(transport, None)
        return environment

    @classmethod
    def attached(cls, handle: SandboxHandle) -> "Environment":
        """Return the environment of a running sandbox that another process started. Raises `SandboxLostError` if it is gone."""
        environment = cls.__new__(cls)
        transport = get_backend(handle.backend).attach(handle)
        environment._connect(transport, Supervisor(transport), None)
        return environment

    def _start(self, transport: Transport, scope: EnvironmentScope | None) -> None:
        supervisor = Supervisor(transport)
        try:
            transport.start()
            self._connect(transport, supervisor, scope)
            transport.persisted()
            supervisor.execute(Command(TRUST, 60.0, 1000, "/", {"CWD": self._path(self.options.cwd)}))
            for hook in scope.after_start if scope is not None else ():
                hook(self)
        except BaseException:
            transport.stop()
            supervisor.close()
            self._forget()
            raise

    def _connect(self, transport: Transport, supervisor: Supervisor, scope: EnvironmentScope | None) -> None:
        self._transport = transport
        self._supervisor = supervisor
        self._handle = handle = transport.handle()
        self.backend, self.image = handle.backend, handle.image
        self.options, self.labels = handle.options, handle.labels
        self._scope = scope
        self._observers = scope.after_command if scope is not None else []
        self._closing = threading.Lock()
        self._closed = False
        self._path_folders: list[str] = []
        _open.add(self)
        if scope is not None and scope.handles is not None:
            write_model(scope.handles / f"{handle.identifier}.json", handle)

    def _forget(self) -> None:
        scope: EnvironmentScope | None = getattr(self, "_scope", None)
        if scope is not None and scope.handles is not None:
            (scope.handles / f"{self._handle.identifier}.json").unlink(missing_ok=True)

    def execute(
        self, command: str, *, timeout: float | None = None, cwd: str | None = None, env: dict[str, str] | None = None
    ) -> ExecuteResult:
        """Run a shell command with closed stdin and wait for it.

        `timeout` is in seconds. A failing command is a result, not an exception. Raises `SandboxLostError` when the sandbox is
        gone or was cleaned up, and `TransportError` when it cannot be reached.
        """
        self._check_open()
        wanted = self._command(command, self.options.command_timeout if timeout is None else timeout, cwd, env)
        started_at, begun = utc_now(), time.monotonic()
        result = self._supervisor.execute(wanted)
        seconds = time.monotonic() - begun
        for observe in self._observers:
            observe(result.as_span(command, started_at, seconds))
        return result.as_execute_result(seconds)

    def spawn(
        self,
        command: str,
        *,
        env: dict[str, str] | None = None,
        stdin: bytes | None = b"",
        timeout: float | None = None,
        cwd: str | None = None,
    ) -> Process:
        """Start a shell command and read its output while it runs, at most for `timeout` seconds. Raises what `execute` raises.

        With `stdin=None` its stdin stays open for `Process.write`.
        """
        wanted = self._command(command, float("inf") if timeout is None else timeout, cwd, env)
        return Process(self._open_shell, self._supervisor, wanted, stdin, self._observers)

    def serve(self, handler: Callable[[socket], None], *, port: int = 0) -> LoopbackService:
        """Let programs in the sandbox reach `handler` on this host at a port of their loopback; 0 takes any that is free.

        `handler` is called in a thread of its own with each connection, and the connection ends when it returns. Works with
        networking off. Raises `SandboxError` when the port is taken or the image has nothing to carry connections with.
        """
        self._check_open()
        return LoopbackService(self._open_shell, handler, port)

    def _command(self, text: str, limit: float, cwd: str | None, env: dict[str, str] | None) -> Command:
        return Command(
            text=text,
            timeout=limit,
            output_limit=self.options.output_limit,
            cwd=self._path(cwd or self.options.cwd),
            env={**self.options.env, **(env or {})},
            path=tuple(self._path_folders),
            watch=self._path(self.options.cwd) if self._observers else None,
        )

    def add_to_path(self, folder: str) -> None:
        """Search this folder of the sandbox for programs first, in every later command. Twice is fine."""
        if folder not in self._path_folders:
            self._path_folders.insert(0, folder)

    def read_file(self, path: str) -> bytes:
        """Return the file's bytes. Raises `FileNotFoundError`, and `SandboxDamagedError` for a folder, pipe or device."""
        self._check_open()
        place = self._path(path)
        script = f'[ -e "$1" ] || exit {MISSING}; [ -f "$1" ] || {{ echo "not a file" >&2; exit 1; }}; cat "$1"'
        reply = self._supervisor.run(["sh", "-c", script, "sh", place], timeout=FILE_TIMEOUT)
        if reply.returncode == MISSING:
            raise FileNotFoundError(2, "no such file in the sandbox", path)
        if reply.returncode != 0:
            raise SandboxDamagedError(f"cannot read {path}: {_text(reply.stderr)}", subject=path)
        return reply.stdout

    def write_file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Write `data` to `path`, making its parent folders. Raises `SandboxDamagedError` where that cannot be done."""
        self._check_open()
        place = self._path(path)
        script = 'mkdir -p "$(dirname "$1")" && head -c "$2" >"$1" && chmod "$3" "$1"'
        argv = ["sh", "-c", script, "sh", place, str(len(data)), f"{mode:o}"]
        reply = self._supervisor.run(argv, stdin=data, timeout=FILE_TIMEOUT)
        if reply.returncode != 0:
            raise SandboxDamagedError(f"cannot write {path}: {_text(reply.stderr)}", subject=path)

    def run_script(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run a POSIX shell script of the harness in the working directory, with bytes in and untruncated bytes out.

        It runs again when the connection breaks, so running twice must be harmless. It must not wait for end of file after `stdin`.
        Script and arguments together are at most 32 KiB. `timeout` is in seconds.
        """
        self._check_open()
        text = f'cd "$1" || exit 1\nshift\n{script}'
        argv = ["sh", "-c", text, "sh", self._path(self.options.cwd), *arguments]
        return self._supervisor.run(argv, stdin=stdin, timeout=timeout)

    def run_outside(self, script: str, *arguments: str, stdin: bytes = b"", timeout: float) -> RunReply:
        """Run a script of the harness on the working directory, out of reach of what was done to the sandbox and its programs.

        It may read files but not change them. Returns exit code `GONE` when the directory is gone. On a backend that cannot look at
        a sandbox from outside the script runs inside. Otherwise like `run_script`.
        """
        self._check_open()
        transport, cwd = self._transport, posixpath.normpath(self._path(self.options.cwd))
        if isinstance(transport, SeenFromOutside):
            argv = ["sh", "-c", f"{ENTER}{script}", "sh", transport.outside, cwd, *arguments]
            return self._supervisor.outside(lambda: transport.run_outside(argv, stdin=stdin, timeout=timeout))
        return self._supervisor.run(
            ["sh", "-c", f"{ENTER}{script}", "sh", "", cwd, *arguments], stdin=stdin, timeout=timeout
        )

    def open_stream(self, command: str) -> Stream:
        """Start a shell command and keep its stdin and stdout open, as the bridge between `coop` and the harness does."""
        exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in self.options.env.items())
        place = shlex.quote(self._path(self.options.cwd))
        return self._open_shell(f"cd {place} || exit 127; {exports}{command}")

    def _open_shell(self, script: str) -> Stream:
        self._check_open()
        return self._transport.open(["sh", "-c", script])

    def snapshot(self) -> str:
        """Save the file system as an image and return its name. Raises `CapabilityError` where the backend cannot."""
        self._check_open()
        return self._transport.snapshot()

    def handle(self) -> SandboxHandle:
        """Return the handle with which another process finds this sandbox."""
        return self._handle

    @property
    def isolation(self) -> str:
        """The isolation level in a word: `docker`, `bubblewrap`, `unshare`, `none`, …"""
        return self._handle.isolation

    @property
    def image_digest(self) -> str | None:
        """Digest of the image that it was started from, where the backend knows one."""
        return self._handle.digest

    def cleanup(self) -> None:
        """End the sandbox and free its resources. Twice is fine."""
        with self._closing:
            if self._closed:
                return
            for hook in self._scope.before_cleanup if self._scope is not None else ():
                with suppress(Exception):  # a hook reports its own failure, and the sandbox must end all the same
                    hook(self)
            self._closed = True
        self._transport.stop()
        self._supervisor.close()
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cleanup()

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxLostError("the environment was cleaned up", subject=self._handle.identifier)

    def _path(self, path: str) -> str:
        return self._transport.host_path(posixpath.join(self.options.cwd, path))


def open_environment(
    backend: str, image: str, *, options: EnvironmentOptions | None = None, labels: SandboxLabels | None = None
) -> Environment:
    """Start a sandbox from an image. An active scope may choose another backend, options and labels.

    Raises `UnknownNameError`, `CapabilityError`, `ImageError` and the other classes below `SandboxError`.
    """
    return Environment(backend, image, options=options, labels=labels)


def attach(handle: SandboxHandle) -> Environment:
    """Connect to a sandbox that another process started. Raises `SandboxLostError` when it is gone."""
    return Environment.attached(handle)


def _text(stderr: bytes) -> str:
    return stderr.decode("utf-8", "replace").strip()[:500]


def open_environments() -> list[Environment]:
    """Return the environments of this process that were not cleaned up."""
    return [environment for environment in _open if not environment._closed]
