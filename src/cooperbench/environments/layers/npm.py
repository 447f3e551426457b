"""Packages of npm: what the registry says about a version, its tarball, its checksum. Without npm, and without its scripts.

Dependencies are not followed: the programs of agents come as one file or as a bundle, and what they need besides is a package
of its own in the recipe.
"""

import base64
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ValidationError

from cooperbench.environments.layers.download import Progress, answer, download
from cooperbench.environments.layers.npm_registry import npm_registry
from cooperbench.environments.layers.recipe import LayerPackage
from cooperbench.errors import AgentError, UsageError


class _Distribution(BaseModel):
    tarball: str
    integrity: str | None = None
    shasum: str | None = None


class _Manifest(BaseModel):
    """The part of a version's manifest that is of use; registries send much more."""

    version: str
    dist: _Distribution


def fetch_npm(name: str, version: str, content: Path, downloads: Path, progress: Progress | None) -> LayerPackage:
    """Unpack one version of a package into `content/node_modules/<name>`. Raises `UsageError`, `AgentError`."""
    registry = npm_registry(name)
    manifest = _manifest(registry.url(name, version), registry.headers, f"{name}@{version}")
    integrity = manifest.dist.integrity or _from_sha1(manifest.dist.shasum)
    archive = downloads / f"{name.replace('/', '+')}-{manifest.version}.tgz"
    same_host = manifest.dist.tarball.startswith(registry.address.rstrip("/") + "/")
    size = download(
        manifest.dist.tarball,
        archive,
        integrity,
        headers=registry.headers if same_host else {},  # a token is for its own registry only
        name=f"{name}@{manifest.version}",
        progress=progress,
    )
    unpack(archive, content / "node_modules" / name, name)
    archive.unlink()
    return LayerPackage(registry="npm", name=name, version=manifest.version, integrity=integrity, bytes=size)


def unpack(archive: Path, target: Path, name: str) -> None:
    """Unpack the files of a tarball, of which the first folder is called as its maker liked. Links are left out, as npm does.

    Raises `AgentError` for one that leads outside. The filters of `tarfile` do this from Python 3.11.4 on; Debian 12 has 3.11.2.
    """
    target.mkdir(parents=True)
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                _, _, inside = member.name.removeprefix("./").partition("/")
                if member.isfile() and inside:
                    _write(packed, member, target / _checked(inside))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise AgentError(f"the package {name} cannot be unpacked: {error}", subject=name) from error


def _checked(inside: str) -> str:
    if ".." in PurePosixPath(inside).parts:
        raise tarfile.ExtractError(f"{inside!r} would be written outside of its folder")
    return inside.lstrip("/")


def _write(packed: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = packed.extractfile(member)
    assert content is not None  # it is a file
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
    place.chmod(0o755 if member.mode & 0o100 else 0o644)
    os.utime(place, (member.mtime, member.mtime))


def _manifest(url: str, headers: dict[str, str], name: str) -> _Manifest:
    package = name.rpartition("@")[0]
    hint = f"list its versions: npm view {package} versions"
    with answer(url, {**headers, "Accept": "application/json"}, name, missing_hint=hint) as response:
        try:
            return _Manifest.model_validate_json(response.content)
        except ValidationError as error:
            raise AgentError(f"the registry's answer about {name} is not a manifest", subject=name) from error


def _from_sha1(shasum: str | None) -> str:
    """Return the checksum of old packages in the newer form."""
    if not shasum:
        raise UsageError("the registry states no checksum for the package, so it is not installed")
    return "sha1-" + base64.b64encode(bytes.fromhex(shasum)).decode()
