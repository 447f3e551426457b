"""Remove a run from disk: what the harness wrote, and nothing that somebody put beside it."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import RecordError, UsageError
from cooperbench.records import RunDirectory
from cooperbench.records.claims import claim_folders
from cooperbench.records.ledger import ledger_files
from cooperbench.records.manifest import MANIFEST
from cooperbench.records.member_files import MemberFolder
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import open_run
from cooperbench.runner.workers.orphans import discard

_FILES = ("*.json", "*.jsonl", "*.patch", ".*.tmp")
_FOLDERS = ("*_logs", ".work", ".evaluation")


class RunFiles(NamedTuple):
    """A run that can be removed: what is the harness's, and what is not."""

    directory: RunDirectory
    files: tuple[Path, ...]
    """Files and whole folders of the record."""
    others: tuple[Path, ...]
    """What somebody else put into the run directory, such as notes and labels; it stays."""


def find_run_files(name: str, log_dir: Path | None = None) -> RunFiles:
    """Find what removing a run would remove.

    Raises `UnknownNameError` for what is not a run, `RecordError` for one whose configuration cannot be read, and `UsageError`
    for a link to a run.
    """
    directory, config = open_run(name, log_dir)
    if directory.path.is_symlink():
        raise UsageError(f"{directory.path} is a link to a run", subject=name, hint="remove the link itself: rm")
    top = (directory.config, directory.summary, directory.lock, directory.path / MANIFEST)
    found = [path for path in top if path.exists()]
    found += [*ledger_files(directory.path), *claim_folders(directory.path)]
    found += [path for path in (directory.job.parent, directory.pauses) if path.is_dir() and not path.is_symlink()]
    for group in config.groups:
        place = directory.episode(config.setting, group).path
        if any(path.is_symlink() for path in (place, *place.parents) if path.is_relative_to(directory.path)):
            continue
        found += [path for pattern in _FILES for path in place.glob(pattern) if path.is_file() or path.is_symlink()]
        found += [path for pattern in _FOLDERS for path in place.glob(pattern) if path.is_dir()]
    files = tuple(dict.fromkeys(found))
    return RunFiles(directory, files, tuple(_others(directory.path, set(files))))


def remove_run(files: RunFiles) -> None:
    """Remove a run, its leftover sandboxes first, and the folders that are empty then.

    Raises `RunLockedError` while a process works on it, and `RecordError` when the disk refuses.
    """
    directory = files.directory
    with locked(directory):
        for pattern in ("*/*/*/*/.work/members/*", "*/*/*/.*.claims/work.*/.work/members/*"):
            for folder in directory.path.glob(pattern):
                discard(MemberFolder(folder))
        # The configuration goes last: until then it is a run, and the command can be repeated.
        for path in sorted(files.files, key=lambda path: path == directory.config):
            try:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            except OSError as error:
                raise RecordError(f"cannot remove {path}: {error.strerror or error}", subject=str(path)) from error
        directory.lock.unlink(missing_ok=True)
        for folder in sorted(directory.path.rglob("*"), reverse=True):
            if folder.is_dir() and not folder.is_symlink():
                with suppress(OSError):  # not empty
                    folder.rmdir()
    with suppress(OSError):
        directory.path.rmdir()


def _others(place: Path, files: set[Path]) -> list[Path]:
    found = []
    for path in sorted(place.iterdir()):
        if path in files:
            continue
        if path.is_dir() and not path.is_symlink():
            found += _others(path, files)
        else:
            found.append(path)
    return found
