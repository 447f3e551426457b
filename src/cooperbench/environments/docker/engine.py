"""A Docker engine: its address, a client for it, and its errors translated to ours.

The engine is the one that `docker` on the command line would use: an address given, `DOCKER_HOST`, the chosen context, the
default socket; after those, Podman's socket. `ssh://` addresses go through one forwarded socket, see `cooperbench.environments.ssh`.
"""

import atexit
import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cooperbench.environments.ssh import SshTarget, forwarded_engine
from cooperbench.errors import (
    CooperBenchError,
    ImageError,
    MissingExtraError,
    SandboxCredentialsError,
    SandboxError,
    SandboxLostError,
    TransportError,
)

if TYPE_CHECKING:
    import docker
    from docker.tls import TLSConfig

DEFAULT_SOCKET = "/var/run/docker.sock"
REQUEST_SECONDS = 120


@dataclass(frozen=True)
class DockerEngine:
    """One engine: where it is and a client for it. Clients are per process; they do not survive a fork."""

    address: str
    """`unix:///…` or `tcp://host:port`, after any forwarding."""
    client: "docker.DockerClient"
    tls: "TLSConfig | None"


_connecting = threading.Lock()
_engines: dict[tuple[str, int], DockerEngine] = {}


def connect(host: str | None) -> DockerEngine:
    """Return the engine at an address, or the one that `docker` would use. Raises `SandboxError` with the remedy."""
    try:
        address, tls = resolve(host)
    except ImportError as error:
        raise MissingExtraError("the docker backend", "docker") from error
    with _connecting:
        key = (address, os.getpid())
        if key not in _engines:
            _engines[key] = _connect(address, tls)
        return _engines[key]


def _connect(address: str, tls: "TLSConfig | None") -> DockerEngine:
    import docker

    if address.startswith("ssh://"):
        address = f"unix://{forwarded_engine(SshTarget.parse(address)).path}"
    with translated(address):
        if address.startswith("unix://"):  # first, because the SDK leaks a socket that cannot connect
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix("unix://"))
        client = docker.DockerClient(
            base_url=address.replace("tcp://", "https://" if tls else "tcp://"),
            tls=tls or False,
            timeout=REQUEST_SECONDS,
            version="auto",
            max_pool_size=32,
        )
    atexit.register(client.close)
    return DockerEngine(address, client, tls)


def describe(engine: DockerEngine) -> str:
    """Return kind, version, platform and address of an engine."""
    with translated(engine.address):
        version = engine.client.version()
    kind = "Podman" if any("Podman" in str(part.get("Name")) for part in version.get("Components") or []) else "Docker"
    return f"{kind} {version.get('Version')} for {version.get('Os')}/{version.get('Arch')} at {engine.address}"


def data_root(engine: DockerEngine) -> Path | None:
    """Return the folder in which an engine keeps its images; `None` for an engine on another machine."""
    with translated(engine.address):
        root = Path(str(engine.client.info().get("DockerRootDir") or "/nonexistent"))
    return root if root.is_dir() else None


def resolve(host: str | None) -> tuple[str, "TLSConfig | None"]:
    """Return the address of the engine and its TLS settings."""
    from docker.utils import kwargs_from_env

    if host is not None:
        return host, None
    if os.environ.get("DOCKER_HOST"):
        settings = kwargs_from_env()
        return os.environ["DOCKER_HOST"], settings.get("tls") or None
    context = _context()
    if context is not None:
        return context
    for place in (DEFAULT_SOCKET, *_podman_sockets()):
        if Path(place).exists():
            return f"unix://{place}", None
    return f"unix://{DEFAULT_SOCKET}", None


def _context() -> "tuple[str, TLSConfig | None] | None":
    """Read the current context from the command line's own files; the SDK finds them only beside a `config.json`."""
    from docker.tls import TLSConfig

    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    settings = json.loads((home / "config.json").read_bytes()) if (home / "config.json").is_file() else {}
    name = os.environ.get("DOCKER_CONTEXT") or settings.get("currentContext") or "default"
    if name == "default":
        return None
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((home / "contexts" / "meta" / key / "meta.json").read_bytes())
        endpoint = meta["Endpoints"]["docker"]
        host = str(endpoint["Host"])
    except (OSError, ValueError, KeyError) as error:
        raise SandboxError(
            f"the Docker context {name!r} does not exist", subject=name, hint="docker context ls"
        ) from error
    keys = home / "contexts" / "tls" / key / "docker"
    if not keys.is_dir():
        return host, None
    pair = (str(keys / "cert.pem"), str(keys / "key.pem"))
    verify = not endpoint.get("SkipTLSVerify", False)
    return host, TLSConfig(client_cert=pair, ca_cert=str(keys / "ca.pem"), verify=verify)


def _podman_sockets() -> list[str]:
    own = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return [f"{own}/podman/podman.sock", "/run/podman/podman.sock"]


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Translate the SDK's errors to ours."""
    import requests
    from docker import errors

    try:
        yield
    except CooperBenchError:
        raise
    except errors.ImageNotFound as error:
        raise ImageError(
            f"the image {subject!r} does not exist: {_words(error)}",
            subject=subject,
            hint="cooperbench images pull, cooperbench images build, or docker login",
        ) from error
    except errors.NotFound as error:
        raise SandboxLostError(f"the container is gone: {_words(error)}", subject=subject) from error
    except errors.APIError as error:
        raise _refusal(error, subject) from error
    except (errors.DockerException, requests.RequestException, OSError) as error:
        raise _unreachable(error, subject) from error


def _words(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip()


def _refusal(error: Exception, subject: str) -> SandboxError:
    message = _words(error)
    low = message.lower()
    if "is not running" in low or "no such container" in low:
        return SandboxLostError(f"the container is gone: {message}", subject=subject)
    if "access denied" in low or "access to the resource is denied" in low or "unauthorized" in low:
        return SandboxCredentialsError(message, subject=subject, hint="docker login")
    if "platform" in low or "no matching manifest" in low:
        return ImageError(message, subject=subject, hint="build it for this processor: cooperbench images build")
    if "no space left" in low:
        return SandboxError(message, subject=subject, hint="free space: docker system df, cooperbench clean")
    if "executable file not found" in low or "invalid reference format" in low:
        return ImageError(message, subject=subject)
    return SandboxError(f"the Docker engine refused: {message}", subject=subject)


def _unreachable(error: Exception, subject: str) -> SandboxError:
    message = str(error)
    if "Permission denied" in message or "PermissionError" in message:
        return SandboxCredentialsError(
            "you are not allowed to access the Docker engine",
            subject=subject,
            hint="sudo usermod -aG docker $USER, and log in again",
        )
    if "FileNotFoundError" in message or "No such file" in message or "Connection refused" in message:
        return TransportError("no Docker engine answers", subject=subject, hint=_start())
    return TransportError(
        f"the connection to the Docker engine failed: {message}", subject=subject, hint="check it: docker info"
    )


def _start() -> str:
    """Return how to have an engine: where Podman is installed, by its service, which needs neither root nor a daemon."""
    place, elsewhere = _podman_sockets()[0], "set DOCKER_HOST, or use --backend local"
    if shutil.which("podman") is None:
        return f"start an engine, {elsewhere}"
    service = f"mkdir -p {Path(place).parent} && podman system service --time=0 unix://{place} &"
    return f"{elsewhere}, or start Podman's service: {service}"
