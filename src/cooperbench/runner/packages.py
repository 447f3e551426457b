"""Share runs: write a package that is complete, carries no secret and proves its content, and join parts of a run."""

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import RecordError, RunMismatchError, UsageError
from cooperbench.records import (
    EpisodeDirectory,
    GroupKey,
    RunConfig,
    RunDirectory,
    default_log_dir,
    read_model,
    write_bytes,
    write_model,
)
from cooperbench.records.base import utc_now
from cooperbench.records.episode_state import read_state
from cooperbench.records.files import read_file
from cooperbench.records.labels import add_labels, read_labels
from cooperbench.records.ledger import RunLedger, ledger_files
from cooperbench.records.manifest import MANIFEST, Manifest, PackagedFile, check_package
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import check_run_name, open_run
from cooperbench.records.secrets import holds_key, scrubbed
from cooperbench.records.summary import read_episodes, summarize, write_summary
from cooperbench.runner.planning.resume import differences

_FILES = re.compile(rb'("model": "(?:scripted|replay)/)/[^"]*/([^"/]+")')
"""The name of a model in results of earlier versions, with the folder of its file."""


class _Part(NamedTuple):
    """A run, or a part of one, on disk."""

    directory: RunDirectory
    config: RunConfig

    def episode(self, group: GroupKey) -> EpisodeDirectory:
        return self.directory.episode(self.config.setting, group)

    def is_finished(self, group: GroupKey) -> bool:
        return read_state(self.episode(group), group).completed is not None

    def files(self, group: GroupKey) -> Iterator[Path]:
        place = self.episode(group).path
        for path in sorted(place.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
            if path.is_file() and not path.is_symlink() and not hidden:
                yield path

    def patch_with_key(self, group: GroupKey) -> Path | None:
        patches = (file for file in self.files(group) if _is_patch(file))
        return next((file for file in patches if holds_key(read_file(file))), None)


def export_run(name: str, target: AnyPath, *, log_dir: AnyPath | None = None) -> Manifest:
    """Write the finished part of a run into the new folder `target`.

    Episodes whose patches hold what looks like a key are left out: a patch is evidence, and is not changed. Raises `UsageError`
    when the folder is not empty, or the run has nothing finished that can be shared.
    """
    target = Path(target).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    run = _Part(*open_run(name, log_dir))
    done = [group for group in run.config.groups if run.is_finished(group)]
    secret = {group: file for group in done if (file := run.patch_with_key(group)) is not None}
    finished = [group for group in done if group not in secret]
    if secret and not finished:
        file = next(iter(secret.values()))
        raise UsageError(f"no episode can be shared: {file} holds what looks like a key", subject=name)
    if not finished:
        raise UsageError(f"run {name!r} has no finished episode", subject=name, hint=f"cooperbench runs show {name}")
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    files, redactions = _write_files(run, finished, unfinished)
    manifest = Manifest(
        run=run.config.run,
        exported_at=utc_now(),
        episodes=len(finished),
        planned=len(run.config.groups),
        redactions=redactions,
        left_out=tuple(file.relative_to(run.directory.path).as_posix() for file in secret.values()),
        files=tuple(files),
    )
    write_model(unfinished / MANIFEST, manifest)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return manifest


def _write_files(run: _Part, groups: Sequence[GroupKey], target: Path) -> tuple[list[PackagedFile], int]:
    """Copy the files of a run without secrets; return them and the number of places that were redacted."""
    directory, config = run
    beside = [*ledger_files(directory.path), *([directory.labels] if directory.labels.exists() else [])]
    files, redactions = [], 0
    for source in [directory.config, *beside, *(file for group in groups for file in run.files(group))]:
        path = source.relative_to(directory.path)
        data, count = read_shareable(source, directory, config)
        write_bytes(target / path, data)
        redactions += count
        files.append(PackagedFile(path=path.as_posix(), bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    write_summary(RunDirectory(target), summarize(directory, config, read_episodes(directory, config)))
    return files, redactions


def read_shareable(source: AnyPath, directory: RunDirectory, config: RunConfig) -> tuple[bytes, int]:
    """Read a file of a run as others may have it; return it and the number of places that were redacted. Patches stay as they are."""
    source = Path(source)
    data = read_file(source)
    if source == directory.config:
        data = f"{config.recorded().model_dump_json(indent=2)}\n".encode()
    return (data, 0) if _is_patch(source) else scrubbed(_FILES.sub(rb"\1\2", data))


def merge_runs(name: str, parts: Sequence[AnyPath], *, log_dir: AnyPath | None = None) -> RunConfig:
    """Join parts of a run, each a run directory or a package, into the run `name`.

    An episode that several parts have finished is taken from the first. Raises `RunMismatchError` when the parts were made
    with different configurations (other than their episodes), `RecordError` when a package has changed since its export.
    """
    if not parts:
        raise UsageError("nothing to merge", hint="cooperbench runs merge NAME PART PART")
    places = [Path(part).expanduser() for part in parts]
    for part in places:
        check_package(part)
    sources = [_Part(RunDirectory(part), _config(part)) for part in places]
    groups = tuple(dict.fromkeys(group for source in sources for group in source.config.groups))
    _check_alike(sources, groups)
    target = _Part(_new_run(name, log_dir), sources[0].config.model_copy(update={"run": name, "groups": groups}))
    with locked(target.directory):
        for source in sources:
            for group in source.config.groups:
                if source.is_finished(group) and not target.is_finished(group):
                    _copy_episode(source.episode(group), target.episode(group))
        spent = sum(RunLedger(source.directory.ledger).total() for source in sources)
        write_bytes(target.directory.ledger, f"{spent:.9f}\n".encode())
        if labels := tuple(label for source in sources for label in read_labels(source.directory)):
            add_labels(target.directory, labels)
        write_model(target.directory.config, target.config)
        write_summary(target.directory, summarize(*target, read_episodes(*target)))
    return target.config


def _check_alike(sources: Sequence[_Part], groups: tuple[GroupKey, ...]) -> None:
    """Raise `RunMismatchError` unless all parts have the configuration of the first."""
    first = sources[0]
    for source in sources[1:]:
        changes = differences(_comparable(first.config, groups), _comparable(source.config, groups))
        if changes:
            raise RunMismatchError(
                f"{source.directory.path} was made with another configuration than {first.directory.path}: "
                f"{'; '.join(changes[:4])}",
                subject=str(source.directory.path),
                hint="only parts of one experiment can be merged",
            )


def _comparable(config: RunConfig, groups: tuple[GroupKey, ...]) -> RunConfig:
    # The data's digest covers the tasks and features of the part, which may be others.
    tasks = config.tasks.model_copy(update={"revision": None})
    return config.model_copy(update={"run": "", "groups": groups, "tasks": tasks})


def _new_run(name: str, log_dir: AnyPath | None) -> RunDirectory:
    directory = RunDirectory(Path(log_dir or default_log_dir()).absolute() / check_run_name(name))
    if directory.config.exists():
        raise UsageError(f"run {name!r} exists", subject=name, hint="choose a new name")
    return directory


def _config(part: Path) -> RunConfig:
    try:
        return read_model(part / "config.json", RunConfig)
    except FileNotFoundError as error:
        raise UsageError(f"{part} is not a run directory: it has no config.json", subject=str(part)) from error


def _is_patch(path: Path) -> bool:
    # Patches are evidence with a recorded digest: they stay as they are.
    return path.suffix == ".patch"


def _copy_episode(source: EpisodeDirectory, target: EpisodeDirectory) -> None:
    """Copy everything but the result, and then the result: an episode is there when that is."""
    shutil.rmtree(target.path, ignore_errors=True)
    try:
        shutil.copytree(source.path, target.path, ignore=lambda folder, names: _left_out(source, folder, names))
        write_bytes(target.result, read_file(source.result))
    except OSError as error:
        raise RecordError(f"cannot copy {source.path}: {error}", subject=str(source.path)) from error


def _left_out(source: EpisodeDirectory, folder: str, names: list[str]) -> list[str]:
    """Return what is not copied: the result, which comes last, hidden files, links and everything that is not a file."""
    places = {name: Path(folder, name) for name in names}
    return [
        name
        for name, place in places.items()
        if place == source.result
        or name.startswith(".")
        or place.is_symlink()
        or not (place.is_dir() or place.is_file())
    ]
