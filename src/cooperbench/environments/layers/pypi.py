"""Packages of PyPI with all that they need, as pip resolves them, in one folder that the sandbox's own Python searches.

pip reads the user's configuration of indexes, and checks the checksums that the index states. Wheels are taken; what exists only as
source is built by pip, as everywhere, and accepted if it is pure Python. All of it is downloaded first, because `pip install` judges
what a package says about its Python by this machine's Python, not by the one that was asked for.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cooperbench.environments.layers.download import Progress
from cooperbench.environments.layers.recipe import Cpu, LayerPackage
from cooperbench.errors import AgentError

MACHINES: dict[Cpu, str] = {"x64": "x86_64", "arm64": "aarch64"}
MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
SECONDS = 1800.0
NO_WHEEL = re.compile(r"No matching distribution found for (\S+)$")


def fetch_pypi(
    packages: dict[str, str], cpu: Cpu, python: str, content: Path, progress: Progress | None
) -> list[LayerPackage]:
    """Install packages into `content/site-packages` for a version of Python such as 3.12. Raises `AgentError`."""
    wheels = content.parent / "wheels"
    wanted = [f"{name}=={version}" for name, version in packages.items()]
    if progress is not None:
        progress(f"{', '.join(wanted)}: pip fetches what they need")
    target = ["--python-version", python, "--only-binary", ":all:"]
    target += [word for tag in MANYLINUX for word in ("--platform", f"{tag}_{MACHINES[cpu]}")]
    _download(wheels, target, wanted)
    files = sorted(wheels.glob("*.whl"))
    place = ["--target", str(content / "site-packages"), "--no-deps", "--no-index", "--ignore-requires-python"]
    _pip(["install", *place, *target, *map(str, files)], ", ".join(wanted))
    found = [_package(file) for file in files]
    shutil.rmtree(wheels)
    return found


def _download(wheels: Path, target: list[str], wanted: list[str]) -> None:
    """Download wheels, building those of packages that have none. pip names one such package at a time."""
    what, built = ", ".join(wanted), set[str]()
    while True:
        try:
            found = ["--dest", str(wheels), "--find-links", str(wheels)]
            _pip(["download", *found, *target, *wanted], what)
        except AgentError as error:
            missing = NO_WHEEL.search(error.message)
            if missing is None or missing[1] in built:
                raise
            built.add(missing[1])
            _pip(["wheel", "--no-deps", "--wheel-dir", str(wheels), missing[1]], what)
            if any(not file.name.endswith("-none-any.whl") for file in wheels.glob("*.whl")):
                raise
        else:
            return


def _pip(arguments: list[str], what: str) -> None:
    line = [*_command(), arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    try:
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"pip did not fetch {what} in {SECONDS:g} s", subject=what, retryable=True) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {done.returncode}"
        hint = f"check the network; the versions that there are: pip index versions {what.partition('==')[0]}"
        raise AgentError(f"pip cannot install {what}: {reason}", subject=what, hint=hint)


def _command() -> list[str]:
    """Return pip's command: this Python's, or another one's, because the version of Python is an argument."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    for name in ("pip3", "pip"):
        if (found := shutil.which(name)) is not None:
            return [found]
    raise AgentError("pip is not installed", hint=f"{sys.executable} -m ensurepip")


def _package(wheel: Path) -> LayerPackage:
    """Describe a wheel, whose name begins with those of the package and its version (PEP 427)."""
    name, version = wheel.name.split("-")[:2]
    with wheel.open("rb") as file:
        integrity = "sha256-" + base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
    return LayerPackage(registry="pypi", name=name, version=version, integrity=integrity, bytes=wheel.stat().st_size)
