"""Local images on disk: `<cache>/images/<name>/<key>/` with `root/` (workspace, home, …), `opt/` (tools) and `image.json`.

`current` names the key in use. A new version is built beside the old one and switched in with one rename, so that sandboxes can
start at any moment and no process sees half an image.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from cooperbench.environments.local.places import make_places
from cooperbench.environments.locks import locked
from cooperbench.records import Record, cache_dir, read_model, write_bytes, write_model


class Container(Record):
    """The facts of an unpacked container image: the whole of its root folder belongs to its sandboxes."""

    source: str = Field(description="Where it came from, in the words of `skopeo`.")
    platform: str = Field(description="Such as linux/amd64.")
    bytes: int = Field(description="Size on disk.")
    uid: int = Field(0, description="The user of its processes. All of its files are theirs.")
    gid: int = 0


class LocalImageRecord(Record):
    """`image.json`."""

    name: str
    digest: str = Field(description="Digest of everything that it was built from.")
    run: str | None = Field(None, description="For a snapshot: the run of its sandbox.")
    files: int = Field(0, description="Number of files that sandboxes start with.")
    env: dict[str, str] = Field(default_factory=dict, description="`{tools}` stands for the path of `opt`.")
    container: Container | None = Field(None, description="Set when it was unpacked from a container image.")


@dataclass(frozen=True)
class LocalImage:
    """An image that is here."""

    path: Path
    record: LocalImageRecord


def images() -> Path:
    """Return the folder of local images."""
    return cache_dir() / "images"


def folder(name: str) -> Path:
    """Return the folder of all versions of an image: a readable name, and a digest because names may contain anything."""
    name = name.removesuffix(":latest")
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    return images() / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def find(name: str) -> LocalImage | None:
    """Return the current version of an image, if it is here."""
    home = folder(name)
    try:
        path = home / (home / "current").read_text().strip()
        return LocalImage(path, read_model(path / "image.json", LocalImageRecord))
    except FileNotFoundError:
        return None


def find_all() -> list[LocalImage]:
    """Return all images that are here."""
    found = []
    for current in sorted(images().glob("*/current")):
        path = current.parent / current.read_text().strip()
        found.append(LocalImage(path, read_model(path / "image.json", LocalImageRecord)))
    return found


@contextmanager
def building(name: str) -> Iterator[None]:
    """Hold the lock of an image: one process builds, the others wait for it."""
    with locked(folder(name) / "lock"):
        yield


@contextmanager
def new_version(record: LocalImageRecord) -> Iterator[Path]:
    """Yield a folder to fill, which becomes the current version when the block ends without an error."""
    home = folder(record.name)
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".draft-{uuid.uuid4().hex[:8]}"
    draft.mkdir()
    try:
        yield draft
        if not (draft / "image.json").exists():
            describe(draft, record)
        key = f"{record.digest.removeprefix('sha256:')[:16]}-{uuid.uuid4().hex[:6]}"
        draft.rename(home / key)
        write_bytes(home / "current", f"{key}\n".encode())
    finally:
        discard(draft)


def remove(name: str) -> None:
    """Remove all versions of an image; its lock stays for those who wait for it."""
    home = folder(name)
    (home / "current").unlink(missing_ok=True)
    for version in home.iterdir():
        if version.is_dir():
            discard(version)


def describe(draft: Path, record: LocalImageRecord) -> None:
    """Write what a new version is."""
    files = sum(len(names) for _, _, names in os.walk(draft / "root"))
    write_model(draft / "image.json", record.model_copy(update={"files": files}))


def discard(folder: Path) -> None:
    """Remove a folder, also where an image forbids its owner to write or to look."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def save_snapshot(name: str, copy_out: Callable[[Path], None], origin: LocalImage, run: str) -> LocalImage:
    """Save an image of a sandbox's folders, which `copy_out` copies into a folder that it creates."""
    digest = "sha256:" + hashlib.sha256(f"{origin.record.digest} {name}".encode()).hexdigest()
    record = LocalImageRecord(
        name=name, digest=digest, run=run, env=origin.record.env, container=origin.record.container
    )
    with new_version(record) as draft:
        copy_out(draft / "root")
        if record.container is not None:
            make_places(draft / "root")  # the agent may have made links of them
        if (origin.path / "opt").is_dir():
            copy_tree(origin.path / "opt", draft / "opt")
    found = find(name)
    assert found is not None
    return found


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with modes, times and links. On Linux `cp` shares blocks where the file system can."""
    if sys.platform.startswith("linux"):
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True, capture_output=True)
    else:
        shutil.copytree(source, target, symlinks=True)
