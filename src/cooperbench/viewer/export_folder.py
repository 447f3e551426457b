"""Write runs as a folder of pages that open from disk, without a server and without a network.

Each page has its scripts and its data in it (a browser lets no page from disk read another file), so each can be sent alone.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath

from cooperbench.errors import UsageError
from cooperbench.records import write_bytes
from cooperbench.records.episode_state import EpisodeState, EpisodeView
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.export import comparison_html, episode_html
from cooperbench.viewer.index import run_page
from cooperbench.viewer.list_pages import group_path, run_html, runs_html, versus_html

Progress = Callable[[str], None]


def export_folder(runs: Sequence[RunResult], target: AnyPath, *, progress: Progress = lambda name: None) -> list[Path]:
    """Write the pages of runs into the new folder `target`, and return them; `index.html` is the first to open.

    Of two runs, groups with another outcome get a page with both episodes. Raises `UsageError` when the folder is not empty.
    """
    folder = Path(target).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder", subject=str(folder), hint="name a new one")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    written = []
    for place, page in _pages(runs, progress):
        write_bytes(unfinished / place, page.encode())
        written.append(folder / place)
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)
    return written


def _pages(runs: Sequence[RunResult], progress: Progress) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield each page with its place. The page of a single run is `index.html` itself."""
    described = [run_page(run) for run in runs]
    names = [page.run.name for page in described]
    first = PurePosixPath("index.html")
    if len(runs) > 1:
        yield first, runs_html([page.run for page in described], served=False)
    for run, page in zip(runs, described, strict=True):
        name = page.run.name
        place = PurePosixPath("data", name, "index.html") if len(runs) > 1 else first
        yield place, run_html(page, place, others=names, served=False)
        for episode in filter(_has_page, run.episodes):
            progress(f"{name} {episode.group}")
            yield PurePosixPath("data", name) / group_path(episode.group), episode_html(run, episode)
    for (run, page), (other, beside) in combinations(zip(runs, described, strict=True), 2):
        place = PurePosixPath("versus", page.run.name, beside.run.name)
        yield place / "index.html", versus_html(page, beside, served=False, compared=len(runs) == 2)
        if len(runs) == 2:
            yield from _both(run, other, place, progress)


def _both(
    run: RunResult, other: RunResult, place: PurePosixPath, progress: Progress
) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield a page for each group that both runs judged, and not alike."""
    beside = {episode.group: episode for episode in other.episodes}
    for episode in run.episodes:
        second = beside.get(episode.group)
        if second is None or episode.verdict is None or second.verdict is None:
            continue
        if episode.verdict.outcome is not second.verdict.outcome:
            progress(f"{run.config.run} and {other.config.run} {episode.group}")
            yield place / group_path(episode.group), comparison_html((run, episode), (other, second))


def _has_page(episode: EpisodeView) -> bool:
    return episode.state is not EpisodeState.NEW
