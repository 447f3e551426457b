"""`manifest.json`: the content of a run that was packed to be shared."""

import hashlib
from pathlib import Path

from cooperbench.errors import RecordError
from cooperbench.records.base import InnerPath, Record, UtcTime
from cooperbench.records.files import read_file, read_model

MANIFEST = "manifest.json"


class PackagedFile(Record):
    """One file of a package."""

    path: InnerPath
    bytes: int
    sha256: str


class Manifest(Record):
    """The content of a package."""

    schema_version: int = 1
    run: str
    exported_at: UtcTime
    episodes: int
    planned: int
    redactions: int
    """Places at which something that looked like a secret was replaced."""
    left_out: tuple[str, ...] = ()
    """Patches that hold what looks like a key; their episodes are not in the package."""
    files: tuple[PackagedFile, ...]


def check_package(part: Path) -> None:
    """Compare a package with its manifest; a run directory, which has none, is taken as it is. Raises `RecordError`."""
    try:
        manifest = read_model(part / MANIFEST, Manifest)
    except FileNotFoundError:
        return
    for file in manifest.files:
        path = part / file.path
        if not path.is_file() or hashlib.sha256(read_file(path)).hexdigest() != file.sha256:
            raise RecordError(
                f"{path} has changed since its export", subject=str(part), hint="export the run again, or copy it again"
            )
