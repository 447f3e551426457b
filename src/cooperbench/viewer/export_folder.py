"""Write runs as a folder of pages that open from disk, without a server and without a network.

Each page has its scripts and its data in it (a browser lets no page from disk read another file), so each can be sent alone.
"""

import shutil
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cooperbench.errors import UsageError
from cooperbench.records import write_bytes
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.export import comparison_html, episode_html
from cooperbench.viewer.index import RunPage, run_page
from cooperbench.viewer.list_pages import episode_meta, group_path, run_html, runs_html, versus_html

Pages = Iterator[tuple[PurePosixPath, str]]

MOST_COMPARED = 5
"""Runs. Of more, pairs of episodes get no page: 10 runs of 652 groups would have some 10,000."""


class _Described(NamedTuple):
    """A run and what its page shows."""

    run: RunResult
    page: RunPage

    @property
    def name(self) -> str:
        return self.page.run.name

    def shares_groups(self, other: "_Described") -> bool:
        """Return true if there is something to compare."""
        return not {group.episode for group in self.page.groups}.isdisjoint(each.episode for each in other.page.groups)


def export_folder(runs: Sequence[RunResult], target: AnyPath) -> list[Path]:
    """Write the pages of runs into the new folder `target`, and return them; `index.html` is the first to open.

    Groups that two runs judged differently get a page with both episodes. Raises `UsageError` when the folder is not empty.
    """
    folder = Path(target).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", subject=str(folder), hint="name a new one")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    written = write_pages(runs, unfinished)
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
    return [folder / page.relative_to(unfinished) for page in written]


def write_pages(runs: Sequence[RunResult], folder: Path) -> list[Path]:
    """Write the pages of runs into a folder, over those of an earlier time, and return them."""
    written = []
    for place, page in _pages([_Described(run, run_page(run)) for run in runs]):
        written.append(folder / place)
        write_bytes(written[-1], page.encode())
    return written


def _pages(runs: Sequence[_Described]) -> Pages:
    """Yield each page with its place. The page of a single run is `index.html` itself."""
    pairs = [(first, second) for first, second in combinations(runs, 2) if first.shares_groups(second)]
    names = [(first.name, second.name) for first, second in pairs]
    index = PurePosixPath("index.html")
    if len(runs) > 1:
        yield index, runs_html([each.page.run for each in runs], pairs=names)
    for run, page in runs:
        name = page.run.name
        place = PurePosixPath("data", name, "index.html") if len(runs) > 1 else index
        yield place, run_html(page, place, pairs=names, alone=len(runs) == 1)
        for episode in filter(_has_page, run.episodes):
            place = PurePosixPath("data", name) / group_path(episode.group)
            yield place, episode_html(run, episode, episode_meta(alone=len(runs) == 1))
    for first, second in pairs:
        place = PurePosixPath("versus", first.name, second.name)
        compared = len(runs) <= MOST_COMPARED
        yield place / "index.html", versus_html(first.page, second.page, served=False, compared=compared)
        if compared:
            yield from _both(first.run, second.run, place)


def _both(run: RunResult, other: RunResult, place: PurePosixPath) -> Pages:
    """Yield a page for each group that both runs judged, and not alike."""
    beside = {episode.group: episode for episode in other.episodes}
    for episode in run.episodes:
        second = beside.get(episode.group)
        if second is None or episode.verdict is None or second.verdict is None:
            continue
        if episode.verdict.outcome is not second.verdict.outcome:
            page = place / group_path(episode.group)
            yield page, comparison_html((run, episode), (other, second), episode_meta())


def _has_page(episode: EpisodeView) -> bool:
    return episode.state is not EpisodeState.NEW
