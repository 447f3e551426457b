"""Write an episode, or two side by side, as one HTML file."""

from collections.abc import Mapping
from pathlib import Path

from cooperbench.records import write_bytes
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.episode import read_episode
from cooperbench.viewer.html_page import html_page
from cooperbench.viewer.models import EpisodePage
from cooperbench.viewer.parts import episode_parts

EPISODE_SCRIPTS = (
    "text.js",
    "parts.js",
    "record.js",
    "scale.js",
    "lanes.js",
    "bars.js",
    "upwards.js",
    "drawing.js",
    "verdict.js",
    "output.js",
    "markdown.js",
    "detail.js",
    "talk.js",
    "evaluation.js",
    "files.js",
    "search.js",
    "keys.js",
    "episode.js",
    "compare.js",
    "start.js",
)
EPISODE_STYLES = ("base.css", "lanes.css", "episode.css")


def episode_html(run: RunResult, episode: EpisodeView, meta: Mapping[str, str] | None = None) -> str:
    """Return the page of an episode with everything in it. For `meta` see `html_page`."""
    found = read_episode(run, episode)
    parts = episode_parts(found)
    return html_page("episode", _title(found.page), EPISODE_SCRIPTS, EPISODE_STYLES, parts=parts, meta=meta)


def comparison_html(
    left: tuple[RunResult, EpisodeView], right: tuple[RunResult, EpisodeView], meta: Mapping[str, str] | None = None
) -> str:
    """Return the page of two episodes side by side with everything in it."""
    one, other = read_episode(*left), read_episode(*right)
    parts = {**episode_parts(one, "left/"), **episode_parts(other, "right/")}
    title = f"{_title(one.page)} beside {_title(other.page)}"
    return html_page("compare", title, EPISODE_SCRIPTS, EPISODE_STYLES, parts=parts, meta=meta)


def export_episode(run: RunResult, episode: EpisodeView, target: AnyPath) -> Path:
    """Write the page of an episode, which needs no server and no network, to the file `target`."""
    return _write(target, episode_html(run, episode))


def export_comparison(
    left: tuple[RunResult, EpisodeView], right: tuple[RunResult, EpisodeView], target: AnyPath
) -> Path:
    """Write the page of two episodes side by side to the file `target`."""
    return _write(target, comparison_html(left, right))


def _write(target: AnyPath, page: str) -> Path:
    path = Path(target).expanduser()
    write_bytes(path, page.encode())
    return path


def _title(page: EpisodePage) -> str:
    features = " + ".join(f"f{number}" for number in page.features)
    return f"{page.repo.removesuffix('_task')} #{page.task_id} {features} - {page.run}"
