"""Write a bundle: the runs without secrets, what they say, rows for a data set, and a digest of every file.

The same runs give the same bytes: nothing in a bundle says when or where it was made.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import UsageError
from cooperbench.publishing.card import dataset_card
from cooperbench.publishing.eligibility import check_runs, why_missing
from cooperbench.publishing.rows import EPISODES, MEMBERS, episodes_jsonl, members_jsonl
from cooperbench.publishing.statement import Missing, make_statement
from cooperbench.records import RunDirectory, write_bytes, write_model
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import read_file
from cooperbench.records.manifest import MANIFEST
from cooperbench.records.paths import AnyPath
from cooperbench.records.published import SUBMISSION, BundledFile, BundleManifest, PublishedResult
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run
from cooperbench.runner.packages import read_shareable

RUNS, CARD = "runs", "README.md"


class WrittenBundle(NamedTuple):
    """A bundle that was written."""

    path: Path
    statement: PublishedResult
    digest: str
    """sha256 of its manifest."""
    files: int
    bytes: int
    redactions: int
    """Places at which something that looked like a secret was replaced."""


def write_bundle(
    names: Sequence[str],
    target: AnyPath,
    *,
    log_dir: AnyPath | None = None,
    team: str | None = None,
    policy: str | None = None,
    trajectories: str | None = None,
    incomplete: bool = False,
) -> WrittenBundle:
    """Write runs into the new folder `target`.

    `trajectories` is the licence under which trajectories, events and messages are in it; without it they are left out. Raises
    `UsageError` for runs that cannot be published, and a folder that is not empty.
    """
    target = Path(target).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", subject=str(target), hint="name a new one")
    _check_text("team", team)
    _check_text("licence", trajectories)
    runs = [read_run(name, log_dir, policy=policy) for name in dict.fromkeys(names)]
    check_runs(runs, incomplete=incomplete)
    missing = [{each.group: why for each in run.episodes if (why := why_missing(each))} for run in runs]
    unfinished = target.absolute().with_name(f".{target.absolute().name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        copied = zip(runs, missing, strict=True)
        redactions = sum(_copy(run, why, unfinished, whole=trajectories is not None) for run, why in copied)
        statement = _write_statement(runs, unfinished, team=team, trajectories=trajectories, missing=missing)
        manifest = write_manifest(unfinished)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    size = sum(file.bytes for file in manifest.files)
    return WrittenBundle(target, statement, bundle_digest(target), len(manifest.files), size, redactions)


def write_manifest(place: Path) -> BundleManifest:
    """Write the digests of all files below `place` into its manifest."""
    found = []
    for path in sorted(each for each in place.rglob("*") if each.is_file()):
        name = path.relative_to(place).as_posix()
        if name != MANIFEST:
            data = read_file(path)
            found.append(BundledFile(path=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    manifest = BundleManifest(files=tuple(found))
    write_model(place / MANIFEST, manifest)
    return manifest


def bundle_digest(place: Path) -> str:
    """Return the digest of a bundle: sha256 of its manifest, which holds that of every other file."""
    return hashlib.sha256(read_file(place / MANIFEST)).hexdigest()


def _check_text(what: str, text: str | None) -> None:
    if text is not None and (not text.strip() or len(text) > 200 or not text.isprintable()):
        raise UsageError(
            f"the {what} {text!r} is not a line of 1 to 200 characters", subject=what, hint=f"--{what} NAME"
        )


def _copy(run: RunResult, missing: Missing, place: Path, *, whole: bool) -> int:
    """Copy the episodes that have a verdict. Returns the number of places that were redacted."""
    directory, redactions = RunDirectory(run.directory), 0
    sources = [directory.config]
    for episode in run.episodes:
        if episode.group not in missing:
            sources += _all_files(episode) if whole else _needed_files(episode)
    for source in sources:
        data, count = read_shareable(source, directory, run.config)
        write_bytes(place / RUNS / run.config.run / source.relative_to(directory.path), data)
        redactions += count
    return redactions


def _needed_files(episode: EpisodeView) -> Iterator[Path]:
    """Yield what judging an episode again takes, and what its verdict was: nothing that an agent or a model said."""
    files, evaluation = episode.files, episode.evaluation
    yield from (files.result, files.evaluation)
    members = episode.result.agents.values() if episode.result is not None else ()
    patches = [member.submission.file for member in members if member.submission is not None]
    merged = [stage.merged_patch for stage in evaluation.stages] if evaluation is not None else []
    for name in dict.fromkeys(filter(None, [*patches, *merged])):
        if (path := files.path / name).is_file():
            yield path


def _all_files(episode: EpisodeView) -> Iterator[Path]:
    """Yield all files of the record."""
    place = episode.directory
    for path in sorted(place.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
        if path.is_file() and not path.is_symlink() and not hidden:
            yield path


def _write_statement(
    runs: Sequence[RunResult], place: Path, *, team: str | None, trajectories: str | None, missing: Sequence[Missing]
) -> PublishedResult:
    """State what was copied: numbers come from what others will have, not from the original."""
    copies = [read_run(run.config.run, place / RUNS, policy=run.policy) for run in runs]
    statement = make_statement(copies, team=team, trajectories=trajectories, missing=missing)
    write_model(place / SUBMISSION, statement)
    write_bytes(place / EPISODES, episodes_jsonl(copies))
    write_bytes(place / MEMBERS, members_jsonl(copies))
    write_bytes(place / CARD, dataset_card(statement).encode())
    return statement
