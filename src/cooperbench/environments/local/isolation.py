"""The isolation of a local sandbox: bubblewrap, else `unshare` from util-linux, else none, if allowed.

`docs/design/local-sandbox.md` says what each level needs, hides and costs.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from cooperbench.environments.local.view import CONTAINER, MEMORY, SHARED_MEMORY, SandboxSpec, links, mounts
from cooperbench.errors import SandboxError, UnknownNameError

FORCE = "COOPERBENCH_LOCAL_ISOLATION"
ALLOW = "COOPERBENCH_ALLOW_UNSANDBOXED"


class Isolation(StrEnum):
    """The isolation levels, best first."""

    BUBBLEWRAP = "bubblewrap"
    UNSHARE = "unshare"
    NONE = "none"


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
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL",
    "--die-with-parent", "--new-session",
)  # fmt: skip
TO_ENTER = ("sys_chroot", "setpcap")
"""The capabilities with which the first process makes a container image its root, and gives them up."""
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


def _bubblewrap(spec: SandboxSpec, argv: list[str]) -> list[str]:
    container = spec.container
    user, group = (1000, 1000) if container is None else (container.uid, container.gid)
    line = ["bwrap", *BUBBLEWRAP, "--as-pid-1", "--hostname", "sandbox", "--uid", str(user), "--gid", str(group)]
    if container is not None:
        line += [word for name in TO_ENTER for word in ("--cap-add", f"CAP_{name}".upper())]
    if not spec.network:
        line.append("--unshare-net")
    for mount in mounts(spec):
        if mount.source is None:
            line += ["--size", str(MEMORY), "--tmpfs", mount.target]
        else:
            line += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    for target, path in links():
        line += ["--symlink", target, path]
    line += ["--symlink", "/tmp", "/var/tmp"]
    for root in ("",) if container is None else ("", CONTAINER):
        line += ["--proc", f"{root}/proc", "--dev", f"{root}/dev"]
        line += ["--size", str(SHARED_MEMORY), "--tmpfs", f"{root}/dev/shm", "--remount-ro", f"{root}/dev"]
    line += ["--remount-ro", "/", "--chdir", "/", "--clearenv"]
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
{container}
echo 0 >proc/sys/user/max_user_namespaces 2>/dev/null || true
hostname sandbox 2>/dev/null || true
pivot_root . outside
cd /
umount -l outside
rmdir outside
mount -o remount,bind,ro /
exec setpriv --no-new-privs --bounding-set={kept} --inh-caps={kept} env -i {env} "$@"
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
    steps += [f"ln -s {shlex.quote(target)} .{shlex.quote(path)}" for target, path in links()]
    root = spec.directory / "mount"
    root.mkdir(exist_ok=True)
    script = UNSHARE_SETUP.format(
        path=SYSTEM_PATH,
        layers="\n".join(spec.mounts),
        root=shlex.quote(str(root)),
        shared=SHARED_MEMORY,
        container=""
        if spec.container is None
        else f"for name in proc dev; do mount --rbind $name .{CONTAINER}/$name; done",
        kept="-all" if spec.container is None else ",".join(("-all", *(f"+{name}" for name in TO_ENTER))),
        mounts="\n".join(steps),
        env=" ".join(shlex.quote(f"{name}={value}") for name, value in spec.env.items()),
    )
    network = [] if spec.network else ["--net"]
    return ["unshare", *UNSHARE, *network, "sh", "-c", script, "sh", *argv]
