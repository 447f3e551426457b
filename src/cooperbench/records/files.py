"""Reading and writing single files of the record.

A write goes to a temporary file in the same directory and is renamed over the target, so that a reader, or a process killed
at any moment, sees the old content or the new one. The file is flushed to disk before the rename; the directory entry is not
(a power failure may bring back the old file, never half of a new one).
"""

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cooperbench.errors import RecordError
from cooperbench.records.base import first_error
from cooperbench.records.paths import AnyPath

Model = TypeVar("Model", bound=BaseModel)


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


def read_model(path: AnyPath, kind: type[Model]) -> Model:
    """Read and validate a record. Raises `FileNotFoundError` or `RecordError` (unreadable: names the file and the first fault)."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}", subject=str(path)) from error
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        place, message = first_error(error)
        raise RecordError(
            f"{path} is not a readable {kind.__name__}: {place or 'the file'}: {message}", subject=str(path)
        ) from error
