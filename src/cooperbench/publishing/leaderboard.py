"""Make a leaderboard page from a folder of bundles."""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from cooperbench.errors import CooperBenchError, UsageError
from cooperbench.publishing.checking import check_bundle
from cooperbench.publishing.ranking import Board, LeaderboardEntry, rank_boards
from cooperbench.publishing.unpacking import ARCHIVES, open_bundle
from cooperbench.publishing.verification import record_path
from cooperbench.records import read_model, write_bytes
from cooperbench.records.paths import AnyPath
from cooperbench.records.published import Verification
from cooperbench.records.visible import one_line
from cooperbench.viewer.html_page import page_file


class RefusedBundle(NamedTuple):
    """A bundle that is on no leaderboard."""

    source: str
    reason: str


class Leaderboard(NamedTuple):
    """All leaderboards of a folder."""

    boards: tuple[Board, ...]
    left_out: tuple[RefusedBundle, ...]


def write_leaderboard(folder: AnyPath, target: AnyPath) -> Leaderboard:
    """Write the leaderboards of all bundles in a folder as one page, which needs no network. Raises `UsageError` without a bundle."""
    found = read_leaderboard(folder)
    if not found.boards:
        why = f": {found.left_out[0].source}: {found.left_out[0].reason}" if found.left_out else ""
        raise UsageError(
            f"{folder} has no bundle to show{why}", subject=str(folder), hint="cooperbench submit RUN --out FOLDER/TEAM"
        )
    write_bytes(Path(target).expanduser(), leaderboard_html(found).encode())
    return found


def read_leaderboard(folder: AnyPath) -> Leaderboard:
    """Check every bundle in a folder, and rank those that are as they say."""
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UsageError(f"{place} is not a folder", subject=str(place))
    entries: dict[str, list[LeaderboardEntry]] = {}
    left_out = []
    for source in sorted(place.iterdir()):
        if source.name.startswith(".") or not (source.is_dir() or source.name.endswith(ARCHIVES)):
            continue
        try:
            digest, found = _read(source)
            if digest in entries:
                raise UsageError(f"it is the same as {entries[digest][0].source}")
            entries[digest] = found
        except CooperBenchError as error:
            left_out.append(RefusedBundle(source.name, error.message.replace(f"{place}/", "")))
    boards = rank_boards(entry for found in entries.values() for entry in found)
    return Leaderboard(boards, tuple(left_out))


def _read(source: Path) -> tuple[str, list[LeaderboardEntry]]:
    """Return the digest of a bundle, and its runs as entries. Raises `UsageError` for one that is not as it says."""
    with open_bundle(source) as place:
        checked = check_bundle(place)
    statement = checked.statement
    if checked.discrepancies or statement is None:
        raise UsageError(str(checked.discrepancies[0]))
    verification = _verification(source, checked.digest)
    if verification is not None and verification.discrepancies:
        raise UsageError(f"judged again, it differs: {verification.discrepancies[0]}")
    return checked.digest, [
        LeaderboardEntry(statement.team, run, statement.policy, checked.digest, source.name, verification)
        for run in statement.runs
    ]


def _verification(source: Path, digest: str) -> Verification | None:
    """Read the verification beside a bundle. One of another bundle, or of an earlier state of it, says nothing."""
    try:
        found = read_model(record_path(source), Verification)
    except FileNotFoundError:
        return None
    return found if found.bundle == digest else None


def leaderboard_html(leaderboard: Leaderboard) -> str:
    """Return the page: texts of others are escaped, and the content policy allows its own script and style alone."""
    style = page_file("base.css") + _page_file("leaderboard.css")
    script = _page_file("leaderboard.js")
    policy = f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; base-uri 'none'; form-action 'none'"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["line"] = one_line
    template = environment.from_string(_page_file("leaderboard.html"))
    bundles = {entry.digest: list(_of_bundle(leaderboard, entry.digest)) for entry in _entries(leaderboard)}
    return template.render(
        boards=leaderboard.boards,
        bundles=bundles,
        left_out=leaderboard.left_out,
        policy=policy,
        style=style,
        script=script,
    )


def _entries(leaderboard: Leaderboard) -> Iterator[LeaderboardEntry]:
    for board in leaderboard.boards:
        yield from board.entries


def _of_bundle(leaderboard: Leaderboard, digest: str) -> Iterator[LeaderboardEntry]:
    return (entry for entry in _entries(leaderboard) if entry.digest == digest)


def _page_file(name: str) -> str:
    return files("cooperbench.publishing").joinpath("page", name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """Return a text's hash as the content policy names it."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
