"""The isolation of a local sandbox: bubblewrap, else `unshare` from util-linux, else none, if allowed.

`docs/design/local-sandbox.md` says what each level needs, hides and costs.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import cooperbench
from cooperbench.errors import SandboxError, UnknownNameError

FORCE = "COOPERBENCH_LOCAL_ISOLATION"
ALLOW = "COOPERBENCH_ALLOW_UNSANDBOXED"
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


STATE = "/tmp/.cooperbench"
"""The supervisors' files, in memory: on disk they cost 1 ms per command, and they do not belong in a snapshot."""
MEMORY = 1 << 30
SHARED_MEMORY = 256 << 20
"""Bytes of `STATE` and of /dev/shm, which are the host's memory."""


class Isolation(StrEnum):
    """The isolation levels, best first."""

    BUBBLEWRAP = "bubblewrap"
    UNSHARE = "unshare"
    NONE = "none"


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


def interpreter() -> Path:
    """Return the host's Python, outside any virtual environment."""
    plain = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return plain.resolve() if plain.exists() else Path(sys.executable).resolve()


def choose(allow_unsandboxed: bool) -> Isolation:
    """Return the best level that works here. Raises `SandboxError` with the remedy when none works and `none` is not allowed."""
    forced = os.environ.get(FORCE)
    if forced is not None:
        if forced not in set(Isolation):
            raise UnknownNameError(f"isolation in {FORCE}", forced, list(Isolation))
        levels = [Isolation(forced)]
    else:
        levels = [Isolation.BUBBLEWRAP, Isolation.UNSHARE]
    problems = []
    for level in levels:
        problem = None if level is Isolation.NONE else probe(level)
        if problem is None:
            return level
        problems.append(f"{level.value}: {problem}")
    if allow_unsandboxed or os.environ.get(ALLOW) == "1":
        return Isolation.NONE
    raise SandboxError(
        "the local backend cannot isolate commands on this machine (" + "; ".join(problems) + ")",
        subject="local",
        hint=_remedy(problems) + f", use --backend docker, or set {ALLOW}=1 to run commands without any isolation",
    )


PROBE_SECONDS = 120.0
"""A level that does not work fails at once. This only bounds one that hangs on a busy machine."""


@cache
def probe(level: Isolation) -> str | None:
    """Return the reason why a level does not work here, or `None` when it does."""
    program = "bwrap" if level is Isolation.BUBBLEWRAP else "unshare"
    if shutil.which(program) is None:
        return f"{program} is not installed"
    if level is Isolation.BUBBLEWRAP:
        view = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
        argv = ["bwrap", *BUBBLEWRAP, "--unshare-net", *view, "true"]
    else:
        script = f"{SYSTEM_PATH}; mount -t tmpfs none /tmp && command -v setpriv && command -v pivot_root"
        argv = ["unshare", *UNSHARE, "--net", "sh", "-c", script]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _remedy(problems: list[str]) -> str:
    if not sys.platform.startswith("linux"):
        return "use Linux: this system is not supported yet"
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text().strip() == "1":
        return "allow user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if any("not installed" in problem for problem in problems):
        return "install bubblewrap: sudo apt-get install bubblewrap"
    return "allow user namespaces: sudo sysctl user.max_user_namespaces=15000"


BUBBLEWRAP = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--uid", "1000",
    "--gid", "1000", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
)  # fmt: skip
SYSTEM_PATH = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH"
"""Some of the programs are in folders that only root has on the PATH."""
UNSHARE = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts")


def command(level: Isolation, spec: SandboxSpec, argv: list[str]) -> list[str]:
    """Return the command line that starts `argv` as the first process of the sandbox."""
    if level is Isolation.BUBBLEWRAP:
        line = _bubblewrap(spec, argv)
        return with_mounts(spec.mounts, line) if spec.mounts else line
    if level is Isolation.UNSHARE:
        return _unshare(spec, argv)
    return ["env", "-i", *(f"{name}={value}" for name, value in spec.env.items()), *argv]


def overlay(lower: Path, upper: Path, work: Path, place: Path) -> str:
    """Return the shell command that mounts `lower` at `place`, with writes going to `upper`. `work` is for the kernel."""
    options = f"lowerdir={lower},upperdir={upper},workdir={work},userxattr"
    return f"mount -t overlay -o {shlex.quote(options)} overlay {shlex.quote(str(place))}"


def read_only_overlay(upper: Path, lower: Path, place: Path) -> str:
    """Return the shell command that shows at `place` what an overlay of these two shows, while another one may be using them."""
    options = f"lowerdir={upper}:{lower},userxattr"
    return f"mount -t overlay -o {shlex.quote(options)} overlay {shlex.quote(str(place))}"


def with_mounts(mounts: Sequence[str], argv: list[str]) -> list[str]:
    """Return the command line that makes these mounts in a new mount namespace and becomes `argv`."""
    script = "\n".join(["set -e", SYSTEM_PATH, *mounts, 'exec "$@"'])
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *argv]


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
    if spec.tools is not None and not spec.layers:
        seen.append(Mount("/opt", spec.tools))
    elif spec.tools is not None:  # one by one, because nothing can be mounted below a read-only /opt
        seen += [Mount(f"/opt/{tool.name}", tool) for tool in sorted(spec.tools.iterdir())]
    seen += spec.layers
    own = tuple(Mount(f"/{name}", spec.directory / "root" / name, writable=True) for name in WRITABLE)
    return [*seen, *(own if spec.folders is None else spec.folders), Mount(STATE, writable=True)]


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


def _links() -> list[tuple[str, str]]:
    """Return top-level links such as /bin -> usr/bin."""
    return [(str(Path(path).readlink()), path) for path in SYSTEM if Path(path).is_symlink()]


def _bubblewrap(spec: SandboxSpec, argv: list[str]) -> list[str]:
    line = ["bwrap", *BUBBLEWRAP, "--as-pid-1", "--hostname", "sandbox"]
    if not spec.network:
        line.append("--unshare-net")
    for mount in mounts(spec):
        if mount.source is None:
            line += ["--size", str(MEMORY), "--tmpfs", mount.target]
        else:
            line += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    for target, path in _links():
        line += ["--symlink", target, path]
    line += ["--symlink", "/tmp", "/var/tmp", "--proc", "/proc", "--dev", "/dev"]
    line += ["--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/"]
    line += ["--chdir", "/", "--clearenv"]
    for name, value in spec.env.items():
        line += ["--setenv", name, value]
    return [*line, "--", *argv]


UNSHARE_SETUP = """set -e
{path}
{layers}
root={root}
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
place() {{ # SOURCE TARGET
    if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p "$(dirname ".$2")"; : >".$2"; fi
    mount --rbind "$1" ".$2"
}}
{mounts}
mkdir -p proc dev/shm run var outside
ln -s /tmp var/tmp
mount -t proc proc proc
for device in null zero full random urandom tty; do : >dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o size={shared} tmpfs dev/shm
echo 0 >proc/sys/user/max_user_namespaces 2>/dev/null || true
hostname sandbox 2>/dev/null || true
pivot_root . outside
cd /
umount -l outside
rmdir outside
mount -o remount,bind,ro /
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all env -i {env} "$@"
"""


def _unshare(spec: SandboxSpec, argv: list[str]) -> list[str]:
    steps = []
    for mount in mounts(spec):
        target = shlex.quote(mount.target)
        if mount.source is None:
            mode = f"rw,mode=755,size={MEMORY}" if mount.writable else "ro"
            steps.append(f"mkdir -p .{target} && mount -t tmpfs -o {mode} tmpfs .{target}")
            continue
        steps.append(f"place {shlex.quote(str(mount.source))} {target}")
        if not mount.writable:
            steps.append(f"mount -o remount,bind,ro,nosuid,nodev .{target}")
    steps += [f"ln -s {shlex.quote(target)} .{shlex.quote(path)}" for target, path in _links()]
    root = spec.directory / "mount"
    root.mkdir(exist_ok=True)
    script = UNSHARE_SETUP.format(
        path=SYSTEM_PATH,
        layers="\n".join(spec.mounts),
        root=shlex.quote(str(root)),
        shared=SHARED_MEMORY,
        mounts="\n".join(steps),
        env=" ".join(shlex.quote(f"{name}={value}") for name, value in spec.env.items()),
    )
    network = [] if spec.network else ["--net"]
    return ["unshare", *UNSHARE, *network, "sh", "-c", script, "sh", *argv]
