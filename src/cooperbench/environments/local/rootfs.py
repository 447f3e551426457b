"""The private folders of a sandbox. Large images are mounted below them where the kernel can, others are copied.

Copying the image of a real task (a virtual environment, 2,200 files, 36 MB) takes 0.6 s of kernel time per sandbox, and 0.1 s to
remove; mounting an overlay takes a millisecond. The overlay lives in the sandbox's own mount namespace and ends with it, so
nothing is left on the host; writes go to the sandbox's own folder. Small images are copied, which takes less time than
checking whether overlays work here.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cooperbench.environments.local import isolation, store
from cooperbench.environments.local.isolation import Isolation
from cooperbench.environments.local.outside import folders_of
from cooperbench.environments.local.view import SYSTEM, interpreter

LARGE = 500
"""Files. A demo task has 51, and copying them takes 6 ms."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER = "agent:x:1000:1000:agent:/home/agent:/bin/bash\n"


def prepare_rootfs(directory: Path, image: store.LocalImage, level: Isolation) -> tuple[str, ...]:
    """Create a sandbox's own folders. Return the shell commands that still have to mount something, if any."""
    (directory / "etc").mkdir()
    (directory / "etc" / "passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\n{USER}nobody:x:65534:65534::/:/bin/false\n"
    )
    (directory / "etc" / "group").write_text("root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n")
    shutil.copyfile(Path(__file__).with_name("init.py"), directory / "etc" / "init.py")
    (directory / "etc" / "hosts").write_text("127.0.0.1 localhost sandbox\n::1 localhost\n")
    names = folders_of(image)
    large = image.record.files >= LARGE and level is not Isolation.NONE
    layered = large and overlays_work(level, directory.parent)
    if layered:
        (directory / "root").mkdir()
    else:
        store.copy_tree(image.path / "root", directory / "root")
    mounts = []
    for name in names:
        place, lower = directory / "root" / name, image.path / "root" / name
        place.mkdir(exist_ok=True)
        if layered and lower.is_dir():
            mounts.append(_overlay(name, lower, place, directory))
            place = directory / "upper" / name
        if name == "home":
            (place / "agent").mkdir(exist_ok=True)
        elif name == "tmp":
            place.chmod(0o1777)
    return tuple(mounts)


def variables(image: store.LocalImage, level: Isolation, host_path: Callable[[str], str]) -> dict[str, str]:
    """Return the environment variables of a sandbox's first process."""
    if image.record.container is not None:
        return {"PATH": SYSTEM_PATH, "HOSTNAME": "sandbox", **image.record.env}
    home, tools, temporary = host_path("/home/agent"), "/opt", host_path("/tmp")
    if level is Isolation.NONE:
        tools = str(image.path / "opt")
    path = SYSTEM_PATH
    if not any(interpreter().is_relative_to(place) for place in SYSTEM):
        path = f"{interpreter().parent}:{path}"
    env = {"PATH": path, "HOME": home, "USER": "agent", "LANG": "C.UTF-8", "TMPDIR": temporary, "SHELL": "/bin/sh"}
    env.update({name: value.replace("{tools}", tools) for name, value in image.record.env.items()})
    if (image.path / "opt" / "venv").is_dir():
        env["VIRTUAL_ENV"] = f"{tools}/venv"
        env["PATH"] = f"{tools}/venv/bin:{env['PATH']}"
    return env


def _overlay(name: str, lower: Path, place: Path, directory: Path) -> str:
    upper, work = directory / "upper" / name, directory / "scratch" / (name or "whole")
    for folder in (upper, work):
        folder.mkdir(parents=True)
    return isolation.overlay(lower, upper, work, place)


@cache
def overlays_work(level: Isolation, folder: Path) -> bool:
    """Return whether an unprivileged overlay works on this file system, with the sandbox's isolation in it."""
    if any(character in str(folder) for character in ",:\\") or shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-", ignore_cleanup_errors=True) as scratch:
        names = ("lower", "upper", "work", "place")
        lower, upper, work, place = (Path(scratch) / name for name in names)
        for path in (lower, upper, work, place):
            path.mkdir()
        (lower / "file").touch()
        then = (
            ["bwrap", *isolation.BUBBLEWRAP, "--ro-bind", "/", "/", "true"]
            if level is Isolation.BUBBLEWRAP
            else ["true"]
        )
        script = f"{isolation.overlay(lower, upper, work, place)}\nrm {place}/file"
        done = subprocess.run(isolation.with_mounts((script,), then), capture_output=True, check=False)
        clear_work(Path(scratch) / "work")
        return done.returncode == 0 and not (upper / "file").is_file() and (lower / "file").is_file()


def clear_work(work: Path) -> None:
    """Make the kernel's own folder removable, which nobody may enter at first."""
    for folder in work.rglob("work"):
        folder.chmod(0o700)


def remove(directory: Path) -> None:
    """Remove a sandbox's folder."""
    clear_work(directory / "scratch")
    shutil.rmtree(directory, ignore_errors=True)


def kill_processes(directory: Path) -> None:
    """End a sandbox that does not answer: the processes whose command line names its folder."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if str(directory) in " ".join(process.info["cmdline"] or ()) and process.pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                process.kill()
