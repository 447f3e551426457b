"""Check what a bundle says without running anything: its files against the manifest, and its statements against its runs."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.errors import CooperBenchError, RecordError, UsageError
from cooperbench.evaluation.policies import apply_policy
from cooperbench.publishing.card import dataset_card
from cooperbench.publishing.eligibility import check_runs
from cooperbench.publishing.rows import EPISODES, MEMBERS, episodes_jsonl, members_jsonl
from cooperbench.publishing.statement import make_statement
from cooperbench.publishing.writing import CARD, RUNS, bundle_digest
from cooperbench.records import Record
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.files import read_file, read_model
from cooperbench.records.manifest import MANIFEST
from cooperbench.records.published import (
    FORMAT,
    SUBMISSION,
    BundleManifest,
    Discrepancy,
    DiscrepancyKind,
    PublishedResult,
)
from cooperbench.records.readers import read_patch
from cooperbench.records.run_result import RunResult
from cooperbench.records.runs import read_run

_OF_OTHERS = frozenset({".git", ".gitattributes", ".gitignore", ".cache"})
"""What git and the hub put into the top of a folder; nothing reads it."""
_CLOSE = 1e-9
"""Difference of two numbers that other versions of numerical libraries may make."""


class CheckedBundle(NamedTuple):
    """A bundle that was read, and what in it is not as it says."""

    path: Path
    digest: str
    statement: PublishedResult | None
    """`None` where it cannot be read."""
    runs: tuple[RunResult, ...]
    """Empty where they cannot be read."""
    discrepancies: tuple[Discrepancy, ...]


def check_bundle(place: Path) -> CheckedBundle:
    """Check a bundle in a folder. Raises `UnreadableError` for a broken manifest, and `UsageError` for a format that is not known."""
    manifest = read_model(place / MANIFEST, BundleManifest)
    if manifest.format != FORMAT:
        raise UsageError(
            f"the bundle has format {manifest.format}, and this version knows {FORMAT}",
            hint="install a newer cooperbench",
        )
    digest, found = bundle_digest(place), list(_check_files(place, manifest))
    try:
        statement = read_model(place / SUBMISSION, PublishedResult)
        runs = tuple(read_run(run.run, place / RUNS, policy=statement.policy) for run in statement.runs)
    except (FileNotFoundError, CooperBenchError) as error:
        found.append(_unreadable(SUBMISSION, error, place))
        return CheckedBundle(place, digest, None, (), tuple(found))
    if not found:  # what was changed is named; that nothing fits any more follows
        found += _check_statements(place, statement, runs)
    return CheckedBundle(place, digest, statement, runs, tuple(found))


def _check_files(place: Path, manifest: BundleManifest) -> Iterator[Discrepancy]:
    listed = {file.path: file for file in manifest.files}
    present = set(_walk(place))
    for name in sorted(present - listed.keys() - {MANIFEST}):
        yield Discrepancy(kind=DiscrepancyKind.ADDED_FILE, place=name)
    for name, file in listed.items():
        if name not in present:
            yield Discrepancy(kind=DiscrepancyKind.MISSING_FILE, place=name)
            continue
        try:
            same = hashlib.sha256(read_file(place / name)).hexdigest() == file.sha256
        except RecordError as error:
            yield _unreadable(name, error, place)
            continue
        if not same:
            yield Discrepancy(kind=DiscrepancyKind.CHANGED_FILE, place=name)


def _walk(place: Path) -> Iterator[str]:
    """Yield the paths of all files and links, without following any."""
    for folder, folders, files in os.walk(place):
        here = Path(folder)
        if here == place:
            folders[:] = [name for name in folders if name not in _OF_OTHERS]
            files = [name for name in files if name not in _OF_OTHERS]
        links = [name for name in folders if (here / name).is_symlink()]
        yield from ((here / name).relative_to(place).as_posix() for name in [*files, *links])


def _check_statements(place: Path, statement: PublishedResult, runs: Sequence[RunResult]) -> Iterator[Discrepancy]:
    """Compute everything that is made from the runs again, and compare."""
    if unreadable := [
        Discrepancy(
            kind=DiscrepancyKind.UNREADABLE, place=f"{run.config.run} {each.group}", detail=_inside(each.note, place)
        )
        for run in runs
        for each in run.episodes
        if each.state is EpisodeState.UNREADABLE
    ]:
        yield from unreadable
        return
    try:
        check_runs(runs, incomplete=True)
        for run in runs:
            for episode in run.episodes:
                yield from _check_episode(run, episode)
        missing = [{each.group: each.missing for each in run.episodes if each.missing} for run in statement.runs]
        again = make_statement(runs, team=statement.team, trajectories=statement.trajectories, missing=missing)
    except (CooperBenchError, ValueError) as error:
        yield _unreadable(RUNS, error, place)
        return
    again = again.model_copy(update={"cooperbench": statement.cooperbench, "format": statement.format})
    for field, said, computed in _differences(statement, again):
        detail = f"it says {said}, and the runs say {computed}"
        yield Discrepancy(kind=DiscrepancyKind.STATEMENT, place=f"{SUBMISSION}: {field}", detail=detail)
    made = {EPISODES: episodes_jsonl(runs), MEMBERS: members_jsonl(runs), CARD: dataset_card(statement).encode()}
    for name, content in made.items():
        if not (place / name).is_file() or read_file(place / name) != content:
            yield Discrepancy(kind=DiscrepancyKind.STATEMENT, place=name, detail="it is not what the runs say")


def _check_episode(run: RunResult, episode: EpisodeView) -> Iterator[Discrepancy]:
    """Check that the verdict follows from the tests, and that the patches are those of the result."""
    if episode.verdict is None or episode.evaluation is None or episode.result is None:
        return
    name = f"{run.config.run} {episode.group}"
    follows = apply_policy(run.policy, episode.evaluation.stages, episode.group.features).outcome
    if follows is not episode.verdict.outcome:
        detail = f"eval.json says {episode.verdict.outcome}, and its tests say {follows}"
        yield Discrepancy(kind=DiscrepancyKind.VERDICT, place=name, detail=detail)
    for member in episode.result.agents.values():
        if member.submission is not None and member.submission.file:
            read_patch(episode.files, member.submission)


def _differences(said: Record, computed: Record) -> Iterator[tuple[str, str, str]]:
    """Yield the fields that differ, by their paths, with both values."""
    yield from _compare("", said.model_dump(mode="json"), computed.model_dump(mode="json"))


def _compare(place: str, said: Any, computed: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(said, dict) and isinstance(computed, dict):
        for key in dict.fromkeys([*said, *computed]):
            yield from _compare(f"{place}.{key}" if place else key, said.get(key), computed.get(key))
    elif isinstance(said, list) and isinstance(computed, list) and len(said) == len(computed):
        for number, pair in enumerate(zip(said, computed, strict=True)):
            yield from _compare(f"{place}[{number}]", *pair)
    elif isinstance(said, float) and isinstance(computed, float):
        if abs(said - computed) > _CLOSE:
            yield place, str(said), str(computed)
    elif said != computed:
        yield place, _short(said), _short(computed)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _unreadable(name: str, error: Exception, place: Path) -> Discrepancy:
    message = error.message if isinstance(error, CooperBenchError) else str(error)
    return Discrepancy(kind=DiscrepancyKind.UNREADABLE, place=name, detail=_inside(message, place))


def _inside(message: str, place: Path) -> str:
    """Name files by their paths in the bundle, which may have been unpacked somewhere."""
    return message.replace(f"{place.absolute()}/", "").replace(f"{place}/", "")
