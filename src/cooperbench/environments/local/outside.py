"""A second sandbox that sees the files of the first, where nothing in the first can reach it.

It has the same isolation, because git reads configuration that the agent may have written. Its programs are the host's.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cooperbench.environments.contract import OUTSIDE, RunReply
from cooperbench.environments.local import isolation, store
from cooperbench.environments.local.isolation import Isolation
from cooperbench.environments.local.view import WRITABLE, Mount, SandboxSpec
from cooperbench.errors import SandboxError, SandboxLostError, SilentSandboxError

COPY_SECONDS = 600.0
TAR_CHANGED = 1
"""Exit code of tar when a file changed during reading, as files of a running sandbox may."""
WHOLE = ("",)
"""The name of the only folder of a container image: its root."""


def folders_of(image: store.LocalImage | None) -> tuple[str, ...]:
    """Return the names of the folders that a sandbox of an image has for itself."""
    return WRITABLE if image is None or image.record.container is None else WHOLE


def run(
    directory: Path, image: store.LocalImage | None, level: Isolation, argv: list[str], stdin: bytes, timeout: float
) -> RunReply:
    """Run an argv on the files of the sandbox in `directory`. `image` is its image, if that still exists."""
    try:
        done = subprocess.run(
            _command(directory, image, level, argv),
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


def copy(
    directory: Path, image: store.LocalImage | None, level: Isolation, target: Path, names: Sequence[str] | None = None
) -> None:
    """Copy a sandbox's folders (all, or those named), as they are now, into the new folder `target`. Raises `SandboxError`."""
    names = folders_of(image) if names is None else names
    if not (directory / "upper").is_dir():
        if names == WHOLE:
            store.copy_tree(directory / "root", target)
            return
        target.mkdir()
        for name in names:
            store.copy_tree(directory / "root" / name, target / name)
        return
    target.mkdir()
    packing = ["tar", "-C", OUTSIDE, "-cf", "-", *(name or "." for name in names)]
    unpacking = ["tar", "-C", str(target), "--no-same-owner", "-xpf", "-"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            _command(directory, image, level, packing), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as packed,
    ):
        subprocess.run(unpacking, stdin=packed.stdout, check=True, capture_output=True, timeout=COPY_SECONDS)
        if packed.wait() not in (0, TAR_CHANGED):
            errors.seek(0)
            message = errors.read().decode("utf-8", "replace").strip()
            raise SandboxError(f"cannot copy the sandbox's folders: {message[:500]}", subject=directory.name)


def _command(directory: Path, image: store.LocalImage | None, level: Isolation, argv: list[str]) -> list[str]:
    """Return the command line that runs an argv in a sandbox with the other one's files at `OUTSIDE`."""
    if not (directory / "root").is_dir():
        raise SandboxLostError(f"the local sandbox {directory.name} is gone", subject=directory.name)
    root, names = directory / "root", folders_of(image)
    shown = [Mount(f"{OUTSIDE}/{name}".rstrip("/"), root / name) for name in names if (root / name).is_dir()]
    spec = SandboxSpec(
        directory=directory,
        tools=None,
        network=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"},
        mounts=tuple(_merged(directory, name, image) for name in names if (directory / "upper" / name).is_dir()),
        folders=(Mount("/tmp", writable=True), *shown),
    )
    return isolation.command(level, spec, argv)


def _merged(directory: Path, name: str, image: store.LocalImage | None) -> str:
    """Return the command that mounts what the sandbox changed over its image, without a right to change it."""
    if image is None:
        raise SandboxLostError("the image of the local sandbox is gone", subject=directory.name)
    upper, lower = directory / "upper" / name, image.path / "root" / name
    return isolation.read_only_overlay(upper, lower, directory / "root" / name)
