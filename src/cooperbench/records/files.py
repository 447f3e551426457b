"""Reading and writing single files of the record.

A write goes to a temporary file in the same directory and is renamed over the target, so that a reader, or a process killed
at any moment, sees the old content or the new one. The file is flushed to disk before the rename; the directory entry is not
(a power failure may bring back the old file, never half of a new one).

Runs and packages come from others, too. So a read follows no link at its end, opens nothing but ordinary files, and is bounded.
"""

import errno
import glob
import os
import stat
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cooperbench.errors import RecordError, UnreadableError
from cooperbench.records.base import first_error
from cooperbench.records.paths import AnyPath

Model = TypeVar("Model", bound=BaseModel)

LARGEST = 1 << 30
"""Bytes of one file. The largest record of 100 agents' longest histories takes a tenth of it."""


def write_bytes(path: AnyPath, data: bytes) -> None:
    """Put `data` at `path` in one step, making parent directories. Raises `RecordError` when the disk refuses."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp makes 0600, which hides records from a group's members
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}", subject=str(path), hint="check space and permissions"
        ) from error


def write_model(path: AnyPath, model: BaseModel) -> None:
    """Write a record as indented JSON."""
    write_bytes(path, (model.model_dump_json(indent=2) + "\n").encode())


def read_file(path: Path, *, start: int = 0, largest: int = LARGEST) -> bytes:
    """Return the content of an ordinary file, from byte `start` on. Raises `FileNotFoundError`, or `UnreadableError` for anything else and a larger one."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        with os.fdopen(os.open(path, flags), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableError(f"{path} is not an ordinary file", subject=str(path))
            stream.seek(start)
            data = stream.read(largest + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:  # a ValueError for a name with a NUL
        reason = (
            "it is a link" if getattr(error, "errno", 0) == errno.ELOOP else getattr(error, "strerror", None) or error
        )
        raise UnreadableError(f"cannot read {path}: {reason}", subject=str(path)) from error
    if len(data) > largest:
        raise UnreadableError(f"{path} is larger than {largest / 1e6:,.0f} MB", subject=str(path))
    return data


def matching(place: Path, pattern: str) -> list[Path]:
    """List what matches below `place`, in order. Hidden names match a pattern with a dot only.

    Runs are read while others write them: a folder that vanishes meanwhile has nothing in it. (`Path.glob` of Python 3.11 and 3.12 raises.)
    """
    return sorted(place / name for name in glob.iglob(pattern, root_dir=place))  # noqa: PTH207


def is_linked(path: Path, depth: int) -> bool:
    """Return whether `path` or one of the `depth` folders above it is a link, which may lead out of the run."""
    return any(place.is_symlink() for place in (path, *path.parents[:depth]))


def read_model(path: AnyPath, kind: type[Model]) -> Model:
    """Read and validate a record. Raises `FileNotFoundError` or `UnreadableError` (names the file and the first fault)."""
    path = Path(path)
    data = read_file(path)
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        place, message = first_error(error)
        raise UnreadableError(
            f"{path} is not a readable {kind.__name__}: {place or 'the file'}: {message}", subject=str(path)
        ) from error
