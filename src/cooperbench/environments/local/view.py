"""The files that a sandbox sees.

A sandbox of a local image sees the host's programs and its image's folders. One of an unpacked container image sees only that image: the
host's programs are there until the first process, a Python of the host, has started and made `CONTAINER` its root.
"""

import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path

import cooperbench
from cooperbench.environments.local.store import Container

WRITABLE = ("workspace", "patches", "home", "tmp")
"""Top-level folders that belong to one sandbox alone."""
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
CONFIGURATION = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/localtime", "/etc/nsswitch.conf",
    "/etc/protocols", "/etc/services", "/etc/mime.types",
)  # fmt: skip
"""The part of /etc that programs need. The rest may hold secrets and stays hidden."""


INIT = "/run/init.py"
"""The path of the first process's program in the sandbox."""
CONTAINER = "/image"
"""The path of an unpacked container image until it is the root."""
STATE = "/tmp/.cooperbench"
"""The supervisors' files, in memory: on disk they cost 1 ms per command, and they do not belong in a snapshot."""
MEMORY = 1 << 30
SHARED_MEMORY = 256 << 20
"""Bytes of `STATE` and of /dev/shm, which are the host's memory."""


@dataclass(frozen=True)
class Mount:
    """One path in the sandbox. Without a source it is an empty folder in memory, which hides what was there."""

    target: str
    source: Path | None = None
    writable: bool = False


@dataclass(frozen=True)
class SandboxSpec:
    """The specification of a sandbox: its folder on the host, its image's tools, its network, variables and mounts."""

    directory: Path
    tools: Path | None
    network: bool
    env: dict[str, str]
    mounts: tuple[str, ...] = ()
    """Shell commands that mount the image below the sandbox's folders, see `overlay`."""
    folders: tuple[Mount, ...] | None = None
    """The folders to show in place of the sandbox's own writable ones."""
    layers: tuple[Mount, ...] = ()
    container: Container | None = None
    """Set for an unpacked container image, whose root is the sandbox's `root` folder."""


def interpreter() -> Path:
    """Return the host's Python, outside any virtual environment."""
    plain = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return plain.resolve() if plain.exists() else Path(sys.executable).resolve()


def mounts(spec: SandboxSpec) -> list[Mount]:
    """Return everything that a sandbox sees, besides /proc and /dev."""
    prefix = Path(sys.base_prefix).resolve()
    seen = [Mount(path, Path(path)) for path in SYSTEM if Path(path).is_dir() and not Path(path).is_symlink()]
    seen += [Mount(path, Path(path)) for path in CONFIGURATION if Path(path).exists()]
    if spec.network and Path("/etc/resolv.conf").exists():
        seen.append(Mount("/etc/resolv.conf", Path("/etc/resolv.conf").resolve()))
    seen += [Mount(f"/etc/{name}", spec.directory / "etc" / name) for name in ("passwd", "group", "hosts")]
    seen.append(Mount(INIT, spec.directory / "etc" / "init.py"))
    if not any(prefix.is_relative_to(path) for path in SYSTEM):
        seen.append(Mount(str(prefix), prefix))
    seen += [Mount(str(path)) for path in _hidden(prefix, seen)]
    if spec.container is not None:
        return [*seen, *_of_container(spec)]
    if spec.tools is not None and not spec.layers:
        seen.append(Mount("/opt", spec.tools))
    elif spec.tools is not None:  # one by one, because nothing can be mounted below a read-only /opt
        seen += [Mount(f"/opt/{tool.name}", tool) for tool in sorted(spec.tools.iterdir())]
    seen += spec.layers
    own = tuple(Mount(f"/{name}", spec.directory / "root" / name, writable=True) for name in WRITABLE)
    return [*seen, *(own if spec.folders is None else spec.folders), Mount(STATE, writable=True)]


def _of_container(spec: SandboxSpec) -> list[Mount]:
    shown = [
        Mount("", spec.directory / "root", writable=True),
        Mount("/etc/hosts", spec.directory / "etc" / "hosts", writable=True),
    ]
    if spec.network and Path("/etc/resolv.conf").exists():
        shown.append(Mount("/etc/resolv.conf", Path("/etc/resolv.conf").resolve()))
    shown += [*spec.layers, Mount(STATE, writable=True)]
    return [replace(mount, target=CONTAINER + mount.target) for mount in shown]


def _hidden(prefix: Path, seen: list[Mount]) -> list[Path]:
    """Return the interpreter's installed packages, and CooperBench itself, which holds the bundled tasks' hidden tests."""
    sites = {
        Path(sysconfig.get_path(name, vars={"base": str(prefix), "platbase": str(prefix)}))
        for name in ("purelib", "platlib")
    }
    places = {site for site in sites if site.is_dir() and not site.is_relative_to("/usr/lib")}
    places.add(Path(cooperbench.__file__).resolve().parent)
    roots = [mount.source for mount in seen if mount.source is not None]
    visible = [place for place in places if any(place.is_relative_to(root) for root in roots)]
    return sorted(
        place for place in visible if not any(place != other and place.is_relative_to(other) for other in visible)
    )


def links() -> list[tuple[str, str]]:
    """Return top-level links such as /bin -> usr/bin."""
    return [(str(Path(path).readlink()), path) for path in SYSTEM if Path(path).is_symlink()]
