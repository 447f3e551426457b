"""The pages of lists: runs, a run, two runs on the same groups.

They have the same places below a server and in an exported folder, so the links between them are relative:

    index.html
    data/RUN/index.html
    data/RUN/REPO/TASK/f1_f2.html
    versus/RUN/OTHER/index.html
    versus/RUN/OTHER/REPO/TASK/f1_f2.html
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from cooperbench.records import GroupKey
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.run_result import RunResult
from cooperbench.records.secrets import scrubbed
from cooperbench.viewer.export import EPISODE_SCRIPTS, EPISODE_STYLES
from cooperbench.viewer.html_page import html_page
from cooperbench.viewer.index import RunEntry, RunPage
from cooperbench.viewer.parts import to_json

_SCRIPTS = (
    "text.js",
    "parts.js",
    "lists/setup.js",
    "lists/table.js",
    "lists/filters.js",
    "follow.js",
    "lists/live.js",
    "lists/search.js",
    "lists/grid.js",
    "lists/groups.js",
    "lists/run.js",
    "lists/runs.js",
    "lists/versus.js",
    "lists/start.js",
)
_STYLES = ("base.css", "lists/lists.css")


def group_path(group: GroupKey) -> PurePosixPath:
    """Return the place of an episode's page below that of its run."""
    return PurePosixPath(group.repo, str(group.task_id), f"{group.folder}.html")


def root_of(place: PurePosixPath) -> str:
    """Return the way from a page back to the folder of `index.html`, such as `../../`."""
    return "../" * (len(place.parts) - 1)


Names = Sequence[tuple[str, str]]


def runs_html(runs: Sequence[RunEntry], *, pairs: Names | None = None) -> str:
    """Return the page with the list of runs. `pairs` are those with a page that compares them; without, a server has all."""
    data = {"runs": [run.model_dump(mode="json") for run in runs], "pairs": pairs}
    return _list_page("runs", "Runs", PurePosixPath("index.html"), {"runs": _json(data)}, served=pairs is None)


def run_html(page: RunPage, place: PurePosixPath, *, pairs: Names | None = None, alone: bool = False) -> str:
    """Return the page with the groups of a run. `alone` says that there is no list of runs; for `pairs` see `runs_html`."""
    parts = {"page": to_json(page), "beside": _json({"pairs": pairs, "alone": alone})}
    return _list_page("run", page.run.name, place, parts, served=pairs is None)


def versus_html(first: RunPage, second: RunPage, *, served: bool, compared: bool = True) -> str:
    """Return the page with two runs side by side. With `compared` there are pages of groups that differ."""
    place = PurePosixPath("versus", first.run.name, second.run.name, "index.html")
    parts = {"first": to_json(first), "second": to_json(second)}
    meta = {"compared": "yes"} if compared else {}
    return _list_page("versus", f"{first.run.name} and {second.run.name}", place, parts, served=served, meta=meta)


def served_episode_html(run: RunResult, episode: EpisodeView, stamp: str) -> str:
    """Return the page of an episode that reads its parts from the server, again when its `stamp` has changed."""
    group = episode.group
    place = PurePosixPath("data", run.config.run) / group_path(group)
    address = address_of(place, "parts", run.config.run, group.repo, str(group.task_id), group.folder)
    title = f"{group} - {run.config.run}"
    scripts = (*EPISODE_SCRIPTS, "follow.js", "served/live.js", "served/notes.js")
    styles = (*EPISODE_STYLES, "served/notes.css")
    return html_page("episode", title, scripts, styles, address=address, meta={**episode_meta(), "stamp": stamp})


def served_meta(place: PurePosixPath) -> dict[str, str]:
    """Return what a page of the server knows: the way to `index.html`, and that a server answers below `api/`."""
    return {"root": root_of(place), "served": "yes"}


def episode_meta(*, alone: bool = False) -> dict[str, str]:
    """Return what the page of an episode knows: the page above it. `alone` says that its run's page is `index.html`."""
    return {"up": "../../../../index.html" if alone else "../../index.html"}


def address_of(place: PurePosixPath, *names: str) -> str:
    """Return the relative address of something below `api/` as seen from the page at `place`."""
    return root_of(place) + "/".join(quote(name, safe="") for name in ("api", *names))


def _list_page(
    view: str,
    title: str,
    place: PurePosixPath,
    parts: Mapping[str, bytes],
    *,
    served: bool,
    meta: Mapping[str, str] | None = None,
) -> str:
    known = {**(served_meta(place) if served else {"root": root_of(place)}), **(meta or {})}
    address = address_of(place, "parts") if served else None
    return html_page(view, title, _SCRIPTS, _STYLES, parts=parts, address=address, meta=known)


def _json(value: object) -> bytes:
    return scrubbed(json.dumps(value, separators=(",", ":")).encode())[0]
