"""The places where container images are found, in the words of `skopeo`, and what their files say."""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from cooperbench.errors import UsageError

TRANSPORTS = ("docker", "docker-archive", "docker-daemon", "oci", "oci-archive", "dir", "containers-storage")
_PREFIXES = re.compile(r"^(docker\.io/library/|docker\.io/|localhost/)")


@dataclass(frozen=True)
class ImageSource:
    """One image: where it is, such as `docker-archive:/a.tar:name`, and the name that it has there, if any."""

    reference: str
    name: str | None


class ArchivedImage(BaseModel):
    """An entry of `manifest.json` in a file of `docker save`."""

    tags: list[str] | None = Field(None, alias="RepoTags")


class ImageDescriptor(BaseModel):
    """An entry of `index.json` in an OCI layout (OCI image specification 1.0)."""

    digest: str
    annotations: dict[str, str] = {}


class ImageIndex(BaseModel):
    """`index.json` of an OCI layout."""

    manifests: list[ImageDescriptor]


class ProcessUser(BaseModel):
    """The user of an image's processes."""

    uid: int
    gid: int


class ImageProcess(BaseModel):
    """What umoci found out of an image's processes: the variables, with HOME by its /etc/passwd, and the user."""

    env: list[str]
    user: ProcessUser


class RuntimeConfiguration(BaseModel):
    """`config.json` of a bundle (OCI runtime specification 1.0), as umoci writes it."""

    process: ImageProcess
    annotations: dict[str, str]

    @property
    def platform(self) -> str:
        """Such as linux/amd64."""
        return "/".join(self.annotations.get(f"org.opencontainers.image.{part}", "") for part in ("os", "architecture"))


_ARCHIVE = TypeAdapter(list[ArchivedImage])


def find_sources(place: str) -> list[ImageSource]:
    """Return the images at a place: a file of `docker save`, an OCI layout or archive, or a reference of skopeo.

    Raises `UsageError` for anything else.
    """
    if place.partition(":")[0] in TRANSPORTS:
        return [ImageSource(place, _PREFIXES.sub("", place[9:]) if place.startswith("docker://") else None)]
    path = Path(place).expanduser()
    try:
        if (path / "index.json").is_file():
            return list(_of_layout(f"oci:{path}", (path / "index.json").read_bytes()))
        if path.is_file():
            return list(_of_archive(path))
    except (tarfile.TarError, ValidationError, OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {str(error).splitlines()[0]}", subject=place) from error
    raise UsageError(
        f"{place!r} is neither a file of docker save nor an OCI layout",
        subject=place,
        hint="name a file, a folder, or a reference such as docker://python:3.12",
    )


def _of_archive(path: Path) -> Iterator[ImageSource]:
    with tarfile.open(path) as archive:
        names = set(archive.getnames())
        for name in ("manifest.json", "index.json"):
            stream = archive.extractfile(name) if name in names else None
            if stream is not None and name == "manifest.json":
                yield from _of_manifest(path, stream.read())
                return
            if stream is not None:
                yield from _of_layout(f"oci-archive:{path}", stream.read())
                return
    raise UsageError(
        f"{path} does not hold a container image", subject=str(path), hint="make one with: docker save -o FILE IMAGE"
    )


def _of_manifest(path: Path, text: bytes) -> Iterator[ImageSource]:
    for number, image in enumerate(_ARCHIVE.validate_json(text)):
        for tag in image.tags or ():
            yield ImageSource(f"docker-archive:{path}:{tag}", _PREFIXES.sub("", tag))
        if not image.tags:
            yield ImageSource(f"docker-archive:{path}:@{number}", None)


def _of_layout(place: str, text: bytes) -> Iterator[ImageSource]:
    for image in ImageIndex.model_validate_json(text).manifests:
        tag = image.annotations.get("org.opencontainers.image.ref.name")
        name = image.annotations.get("io.containerd.image.name") or tag or ""
        known = _PREFIXES.sub("", name) if "/" in name or ":" in name else None
        yield ImageSource(f"{place}:{tag}" if tag else place, known)
