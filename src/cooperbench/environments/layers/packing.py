"""Archives of layers, for sandboxes on other machines."""

import contextlib
import mmap
import tarfile
from collections.abc import Iterator
from pathlib import Path

from cooperbench.environments.layers.recipe import Layer
from cooperbench.environments.layers.store import content
from cooperbench.environments.locks import locked


def add_files(archive: tarfile.TarFile, layer: Layer) -> None:
    """Add a layer's files to an archive, as root's."""
    archive.add(content(layer), arcname=".", filter=of_root)


def of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an archive's member as root's."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


@contextlib.contextmanager
def packed(layer: Layer) -> Iterator[mmap.mmap]:
    """Yield the bytes of a layer's compressed archive, which is made once and kept beside the layer's files.

    They are mapped, because a hundred sandboxes that start together would hold 170 MB each.
    """
    with _packed_file(layer).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _packed_file(layer: Layer) -> Path:
    target = content(layer).with_name("content.tar.gz")
    with locked(target.with_name(".packing.lock")):
        if not target.exists():
            draft = target.with_suffix(".draft")
            with tarfile.open(draft, mode="w:gz", compresslevel=6) as archive:
                add_files(archive, layer)
            draft.replace(target)
    return target
