"""Share a run directory: check that its file system can carry claims, and agree on one configuration."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cooperbench.errors import UsageError
from cooperbench.records import RunConfig, RunDirectory, write_model
from cooperbench.runner.planning.resume import check_run


def check_file_system(directory: RunDirectory) -> None:
    """Try what claims rest on. Raises `UsageError` where a file system does not do it, as object stores that are mounted."""
    try:
        directory.path.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=directory.path, prefix=".claims-check.") as place:
            missing = _missing(Path(place))
    except OSError as error:
        missing = f"writing ({error.strerror or error})"
    if missing:
        raise UsageError(
            f"the file system of {directory.path} cannot be shared by claims: it lacks {missing}",
            subject=str(directory.path),
            hint="choose another place with --log-dir; or give each process its --shard and a place of its own, and join them with `cooperbench runs merge`",
        )


def _missing(place: Path) -> str:
    """Return what the file system lacks; empty if nothing."""
    claim, other = place / "claim", place / "other"
    claim.mkdir()
    with suppress(FileExistsError):
        claim.mkdir()
        return "mkdir that fails for a folder that is there"
    other.mkdir()
    (claim / "beat").touch()
    (other / "beat").touch()
    with suppress(OSError):
        claim.rename(other)
        return "rename that fails for a target with content"
    before = os.stat(claim / "beat").st_mtime_ns  # noqa: PTH116
    os.utime(claim / "beat", ns=(before, before - 10**9))
    os.utime(claim / "beat", None)
    if os.stat(claim / "beat").st_mtime_ns == before - 10**9:  # noqa: PTH116
        return "times of modification"
    try:
        os.link(claim / "beat", place / "linked")
    except OSError:
        return "hard links"
    claim.rename(place / "renamed")
    return "" if (place / "renamed" / "beat").exists() else "rename of folders"


def agree_on_config(directory: RunDirectory, config: RunConfig) -> RunConfig:
    """Write `config.json` unless another process was first; return the one that is there.

    Raises `RunMismatchError` when that is another configuration.
    """
    if not directory.config.exists():
        own = directory.path / f".config.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        write_model(own, config)
        try:
            with suppress(FileExistsError):
                os.link(own, directory.config)
        finally:
            own.unlink(missing_ok=True)
    return check_run(directory, config, force=False).config
