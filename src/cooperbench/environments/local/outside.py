"""A second sandbox that sees the files of the first, where nothing in the first can reach it.

It has the same isolation, because git reads configuration that the agent may have written. Its programs are the host's.
"""

import os
import subprocess
from pathlib import Path

from cooperbench.environments.contract import OUTSIDE, RunReply
from cooperbench.environments.local import isolation
from cooperbench.environments.local.isolation import WRITABLE, Isolation, Mount, SandboxSpec
from cooperbench.errors import SandboxLostError, SilentSandboxError


def run(
    directory: Path, image: Path | None, level: Isolation, argv: list[str], stdin: bytes, timeout: float
) -> RunReply:
    """Run an argv on the files of the sandbox in `directory`. `image` is the folder of its image, if that still exists."""
    if not (directory / "root").is_dir():
        raise SandboxLostError(f"the local sandbox {directory.name} is gone", subject=directory.name)
    root = directory / "root"
    shown = [Mount(f"{OUTSIDE}/{name}", root / name) for name in WRITABLE if (root / name).is_dir()]
    spec = SandboxSpec(
        directory=directory,
        tools=None,
        network=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"},
        mounts=tuple(_merged(directory, name, image) for name in WRITABLE if (directory / "upper" / name).is_dir()),
        folders=(Mount("/tmp", writable=True), *shown),
    )
    try:
        done = subprocess.run(
            isolation.command(level, spec, argv),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
    except subprocess.TimeoutExpired as error:
        raise SilentSandboxError(f"the files were not read within {timeout:g} s", subject=directory.name) from error
    return RunReply(done.returncode, done.stdout, done.stderr)


def _merged(directory: Path, name: str, image: Path | None) -> str:
    """Return the command that mounts what the sandbox changed over its image, without a right to change it."""
    if image is None:
        raise SandboxLostError("the image of the local sandbox is gone", subject=directory.name)
    return isolation.read_only_overlay(directory / "upper" / name, image / "root" / name, directory / "root" / name)
