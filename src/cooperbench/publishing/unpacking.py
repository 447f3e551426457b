"""Open a bundle of somebody else: a folder, or an archive of one, which is unpacked with bounds."""

import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cooperbench.errors import UnreadableError, UsageError
from cooperbench.records.manifest import MANIFEST
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.records.paths import AnyPath

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
LARGEST = 4 << 30
"""Bytes of an archive's files together. Bundles of the 652 published pairs take 100 MB, with trajectories some more."""
_MOST = 500_000
"""Files of an archive."""
_CHUNK = 1 << 20


@contextmanager
def open_bundle(source: AnyPath) -> Iterator[Path]:
    """Give the folder of a bundle. Raises `UsageError` for what is not one, and `UnreadableError` for a broken archive."""
    source = Path(source).expanduser()
    if source.is_dir():
        yield _with_manifest(source, source)
    elif source.is_file() and source.name.endswith(ARCHIVES):
        with scratch_directory() as scratch:
            folder = scratch / "bundle"
            folder.mkdir()
            _unpack(source, folder)
            yield _with_manifest(folder, source)
    else:
        what = "is neither a folder nor an archive" if source.exists() else "does not exist"
        raise UsageError(
            f"{source} {what}", subject=str(source), hint=f"a folder, or one packed as {', '.join(ARCHIVES)}"
        )


def _with_manifest(folder: Path, source: Path) -> Path:
    """Return the folder that has the manifest: this one, or the only one in it, as archives often have it."""
    inner = [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
    for place in [folder, *(inner if len(inner) == 1 else [])]:
        if (place / MANIFEST).is_file():
            return place
    raise UsageError(
        f"{source} is not a bundle: it has no {MANIFEST}",
        subject=str(source),
        hint="cooperbench submit RUN --out bundle",
    )


def _unpack(source: Path, folder: Path) -> None:
    left = LARGEST
    try:
        for number, (name, stream) in enumerate(_files(source)):
            with stream:
                left -= _write(stream, folder / _inner(name, source), left)
            if left < 0 or number >= _MOST:
                raise UnreadableError(
                    f"{source} unpacks to more than {LARGEST >> 30} GiB or {_MOST} files", subject=str(source)
                )
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise UnreadableError(f"cannot unpack {source}: {error}", subject=str(source)) from error


def _files(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the ordinary files of an archive. Raises `UnreadableError` for anything else but folders."""
    if source.name.endswith(".zip"):
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield entry.filename, archive.open(entry)
        return
    with tarfile.open(source) as packed:
        for member in packed:
            stream = packed.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream
            elif not member.isdir():
                raise UnreadableError(
                    f"{source} holds {member.name}, which is not an ordinary file", subject=str(source)
                )


def _inner(name: str, source: Path) -> Path:
    parts = [part for part in name.split("/") if part != "."]
    if not parts or any(part in ("", "..") for part in parts) or "\0" in name or "\\" in name:
        raise UnreadableError(f"{source} holds {name!r}, which would lie elsewhere", subject=str(source))
    return Path(*parts)


def _write(stream: IO[bytes], path: Path, most: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("xb") as target:
        while written <= most and (chunk := stream.read(_CHUNK)):
            written += target.write(chunk)
    return written
