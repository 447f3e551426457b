"""Packages of PyPI with all that they need, as pip resolves them, in one folder that the sandbox's own Python searches.

pip reads the user's configuration of indexes, and checks the checksums that the index states. Only wheels are taken: nothing is
built, and no code of a package runs on this machine.
"""

import base64
import hashlib
import json
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


def fetch_pypi(
    packages: dict[str, str], cpu: Cpu, python: str, content: Path, progress: Progress | None
) -> list[LayerPackage]:
    """Install packages into `content/site-packages` for a version of Python such as 3.12. Raises `AgentError`."""
    target = content / "site-packages"
    report = content.parent / "pip.json"
    wanted = [f"{name}=={version}" for name, version in packages.items()]
    if progress is not None:
        progress(f"{', '.join(wanted)}: pip installs")
    platforms = [word for tag in MANYLINUX for word in ("--platform", f"{tag}_{MACHINES[cpu]}")]
    arguments = ["install", "--quiet", "--target", str(target), "--python-version", python, "--only-binary", ":all:"]
    done = subprocess.run(
        [*_pip(), *arguments, *platforms, "--report", str(report), *wanted],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {done.returncode}"
        raise AgentError(f"pip cannot install {', '.join(wanted)}: {reason}", subject=wanted[0], retryable=True)
    return _installed(json.loads(report.read_bytes()))


def _pip() -> list[str]:
    """Return pip's command: this Python's, or another one's, because the version of Python is an argument."""
    probe = [sys.executable, "-m", "pip", "--version"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return probe[:-1]
    for name in ("pip3", "pip"):
        if (found := shutil.which(name)) is not None:
            return [found]
    raise AgentError("pip is not installed", hint=f"{sys.executable} -m ensurepip")


def _installed(report: dict[str, list[dict[str, dict[str, object]]]]) -> list[LayerPackage]:
    """Read pip's installation report, version 1."""
    found = []
    for item in report["install"]:
        archive: object = item["download_info"].get("archive_info")
        hashes = archive.get("hashes", {}) if isinstance(archive, dict) else {}
        sha256 = bytes.fromhex(hashes.get("sha256") or hashlib.sha256(b"").hexdigest())
        integrity = "sha256-" + base64.b64encode(sha256).decode()
        name, version = str(item["metadata"]["name"]), str(item["metadata"]["version"])
        found.append(LayerPackage(registry="pypi", name=name, version=version, integrity=integrity, bytes=0))
    return sorted(found, key=lambda package: package.name)
