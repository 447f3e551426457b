"""A Unix socket of another machine, forwarded over one SSH connection.

The local socket stays while SSH connections come and go: each client gets a channel of the current connection, or of a new one.
So the Docker transport works unchanged on a remote engine, and a cut connection is one failed call.
"""

import asyncio
import atexit
import contextlib
import shlex
import tempfile
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cooperbench.environments.background import run_async
from cooperbench.errors import MissingExtraError, SandboxCredentialsError, TransportError, UsageError

CHUNK = 1 << 16
CONNECT_SECONDS = 30.0
KEEPALIVE_SECONDS = 15
CLOSING_SECONDS = 0.5
_BOTH = asyncio.subprocess.STDOUT
# sshd refuses channels beyond its own limit, so more waiting connections than this would be useless.
CHANNELS = 256


@dataclass(frozen=True)
class SshTarget:
    """The machine to connect to, and its keys. Without keys here, the user's own SSH configuration applies."""

    host: str
    port: int | None = None
    user: str | None = None
    key: str | None = None
    """A private key in OpenSSH format. With it, neither the SSH agent nor the user's files are tried."""
    known_hosts: str | None = None
    """Lines of a known_hosts file. Without them, the user's own file applies."""
    proxy_command: str | None = None

    @classmethod
    def parse(cls, url: str) -> "SshTarget":
        """Read `ssh://[user@]host[:port]`. Raises `UsageError`."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme != "ssh" or not parts.hostname or parts.path not in ("", "/") or port == -1:
            raise UsageError(f"{url!r} is not an SSH address", subject=url, hint="write it as ssh://user@host:22")
        return cls(parts.hostname, port, parts.username)


class ForwardedSocket:
    """A local Unix socket for a remote one; `path` is valid until `close`. Safe to use from several threads."""

    def __init__(self, target: SshTarget, remote: str = "/var/run/docker.sock") -> None:
        if find_spec("asyncssh") is None:
            raise MissingExtraError(f"reaching {target.host} over SSH", "ssh")
        self._target = target
        self._remote = remote
        # Not in TMPDIR, which is often too long: a socket's path may have 107 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="cooperbench-ssh-", dir="/tmp")
        self.path = Path(self._folder.name) / "docker.sock"
        self._connection: Any = None
        self._server: asyncio.Server | None = None
        self._turns: asyncio.Lock | None = None
        self._channels: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Connect and listen. Raises `TransportError` or `SandboxCredentialsError`."""
        try:
            run_async(self._open(), timeout=2 * CONNECT_SECONDS)
        except BaseException:
            self.close()
            raise

    def run(self, command: str) -> tuple[int, str]:
        """Run a command on the machine itself and return its exit code and output."""
        try:
            return run_async(self._run(command), timeout=2 * CONNECT_SECONDS)
        except TimeoutError as error:
            raise TransportError(f"{self._target.host} does not answer over SSH", subject=self._target.host) from error

    def cut(self) -> None:
        """Drop the connection at once; the next use makes a new one."""
        run_async(self._drop())

    def close(self) -> None:
        """Stop listening and disconnect. Twice is fine."""
        with contextlib.suppress(TimeoutError):
            run_async(self._close(), timeout=10)
        self._folder.cleanup()

    async def _open(self) -> None:
        self._turns = asyncio.Lock()
        await self._connected()
        self._server = await asyncio.start_unix_server(self._serve, self.path, backlog=CHANNELS)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._channels:
            task.cancel()
        await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    async def _run(self, command: str) -> tuple[int, str]:
        try:
            process = await self._channel(lambda connection: connection.create_process(command, stderr=_BOTH))
            done = await process.wait()
        except (OSError, _ssh_error()) as error:
            raise TransportError(f"{self._target.host} broke off: {error}", subject=self._target.host) from error
        return done.exit_status if done.exit_status is not None else 255, str(done.stdout)

    async def _channel(self, begin: Callable[[Any], Awaitable[Any]]) -> Any:
        """Open a channel. If the connection turns out to be dead, retry once on a new one, since nothing has happened yet."""
        connection = await self._connected()
        try:
            return await begin(connection)
        except (OSError, _ssh_error()):
            closed, _ = await asyncio.wait([asyncio.ensure_future(connection.wait_closed())], timeout=CLOSING_SECONDS)
            if not closed:  # the connection is alive, so the refusal is real
                raise
        return await begin(await self._connected())

    async def _connected(self) -> Any:
        assert self._turns is not None
        async with self._turns:
            if self._connection is None or self._connection.is_closed():
                self._connection = await _connect(self._target)
            return self._connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._channels.add(task)
        try:
            far_reader, far_writer = await self._channel(
                lambda connection: connection.open_unix_connection(self._remote, encoding=None)
            )
            try:
                await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, TransportError, SandboxCredentialsError, _ssh_error()):
            pass  # the client sees a closed connection, which its transport reports
        except asyncio.CancelledError:
            pass
        finally:
            self._channels.discard(task)
            writer.transport.abort()


async def _pass_on(reader: Any, writer: Any) -> None:
    """Copy one direction, and pass its end on: engines take a half-closed connection for the end of stdin."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _connect(target: SshTarget) -> Any:
    import asyncssh

    options: dict[str, Any] = {
        "keepalive_interval": KEEPALIVE_SECONDS,
        "keepalive_count_max": 4,
        "connect_timeout": CONNECT_SECONDS,
        "login_timeout": CONNECT_SECONDS,
    }
    if target.user:
        options["username"] = target.user
    if target.port:
        options["port"] = target.port
    if target.key is not None:
        options |= {"client_keys": [asyncssh.import_private_key(target.key)], "agent_path": None, "config": None}
    if target.known_hosts is not None:
        options["known_hosts"] = asyncssh.import_known_hosts(target.known_hosts)
    if target.proxy_command is not None:
        words = shlex.split(target.proxy_command)
        port = str(target.port or 22)
        options["proxy_command"] = [word.replace("%h", target.host).replace("%p", port) for word in words]
    try:
        return await asyncssh.connect(target.host, **options)
    except asyncssh.HostKeyNotVerifiable as error:
        raise SandboxCredentialsError(
            f"the host key of {target.host} is not the expected one: {error}",
            subject=target.host,
            hint=f"connect once by hand to accept it: ssh {target.host}",
        ) from error
    except (asyncssh.PermissionDenied, asyncssh.KeyImportError) as error:
        raise SandboxCredentialsError(
            f"{target.host} rejected the login: {error}", subject=target.host, hint=f"ssh {target.host}"
        ) from error
    except (OSError, asyncssh.Error) as error:
        raise TransportError(f"cannot reach {target.host} over SSH: {error}", subject=target.host) from error


def _ssh_error() -> type[Exception]:
    import asyncssh

    kind: type[Exception] = asyncssh.Error
    return kind


_shared: dict[SshTarget, ForwardedSocket] = {}
_sharing = threading.Lock()


def forwarded_engine(target: SshTarget) -> ForwardedSocket:
    """Return the process's only forwarded Docker socket for a machine, opening it on first use."""
    with _sharing:
        socket = _shared.get(target)
        if socket is None:
            socket = ForwardedSocket(target)
            socket.open()
            atexit.register(socket.close)
            _shared[target] = socket
        return socket
