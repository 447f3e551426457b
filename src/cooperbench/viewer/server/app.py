"""The addresses of the server. Pages have the same places as in an exported folder; what changes is below `api/`."""

import re
from pathlib import PurePosixPath

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cooperbench.errors import CooperBenchError, RecordError, UnknownNameError
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import is_linked, read_file
from cooperbench.records.layout import DEPTH
from cooperbench.records.run_result import RunResult
from cooperbench.records.secrets import scrubbed
from cooperbench.viewer.export import comparison_html
from cooperbench.viewer.list_pages import episode_meta, run_html, runs_html, served_episode_html, versus_html
from cooperbench.viewer.parts import to_json
from cooperbench.viewer.search import search_runs
from cooperbench.viewer.server.episodes import EpisodeCache, episode_stamp
from cooperbench.viewer.server.guard import Application, Guard
from cooperbench.viewer.server.library import Library
from cooperbench.viewer.server.live import Closing, events, watch_episode, watch_run, watch_runs
from cooperbench.viewer.server.notes import save_label

_LARGEST_NOTE = 64 * 1024
"""Bytes of a request that writes."""
_RAW = re.compile(r"(result|eval|conversation|[A-Za-z0-9]+_traj)\.json|events\.jsonl|[A-Za-z0-9_]+\.patch")
"""Files of an episode that are served as they are, but for secrets."""
_GROUP = "{run}/{repo}/{task_id}/{folder}"


def create_app(library: Library, *, token: str, port: int, closing: Closing) -> Application:
    """Return the server's application, which answers only below `/<token>/`. `closing` tells open pages that it ends."""
    app = Starlette(routes=Pages(library, closing).routes(), exception_handlers={CooperBenchError: _explain})
    return Guard(app, token=token, port=port)


class Pages:
    """Answers requests. Everything that reads the record runs outside of the event loop."""

    def __init__(self, library: Library, closing: Closing) -> None:
        self._library = library
        self._closing = closing
        self._episodes = EpisodeCache()

    def routes(self) -> list[Route]:
        """Return all addresses."""
        return [
            Route("/", self.runs),
            Route("/index.html", self.runs),
            Route("/data/{run}/index.html", self.run),
            Route(f"/data/{_GROUP}.html", self.episode),
            Route("/versus/{run}/{other}/index.html", self.versus),
            Route("/versus/{run}/{other}/{repo}/{task_id}/{folder}.html", self.versus_episode),
            Route("/api/parts/runs", self.names),
            Route(f"/api/parts/{_GROUP}/{{part}}", self.part),
            Route(f"/api/raw/{_GROUP}/{{file}}", self.raw),
            Route("/api/search", self.search),
            Route(f"/api/labels/{_GROUP}", self.add_label, methods=["POST"]),
            Route("/api/events", self.watch),
            Route("/api/events/{run}", self.watch),
            Route(f"/api/events/{_GROUP}", self.watch),
        ]

    def runs(self, request: Request) -> Response:
        """Answer with the list of runs."""
        return _page(runs_html(self._library.entries()))

    def run(self, request: Request) -> Response:
        """Answer with the table and the grid of a run."""
        name = request.path_params["run"]
        place = PurePosixPath("data", name, "index.html")
        return _page(run_html(self._library.page(name), place))

    def episode(self, request: Request) -> Response:
        """Answer with the page of an episode, which reads its parts below `api/parts`."""
        run, episode = self._find(request, "run")
        return _page(served_episode_html(run, episode, episode_stamp(run, episode)))

    def versus(self, request: Request) -> Response:
        """Answer with two runs side by side."""
        names = request.path_params["run"], request.path_params["other"]
        first, second = (self._library.page(name) for name in names)
        return _page(versus_html(first, second, served=True))

    def versus_episode(self, request: Request) -> Response:
        """Answer with the same group of two runs side by side."""
        left, right = self._find(request, "run"), self._find(request, "other")
        return _page(comparison_html(left, right, episode_meta()))

    def names(self, request: Request) -> Response:
        """Answer with the names of all runs, to choose one to compare with."""
        return JSONResponse({"names": self._library.names()})

    def part(self, request: Request) -> Response:
        """Answer with a part of an episode's page, as JSON."""
        parts = self._episodes.parts(*self._find(request, "run"))
        name = request.path_params["part"]
        if name not in parts:
            raise UnknownNameError("part", name, parts)
        return Response(parts[name], media_type="application/json")

    def raw(self, request: Request) -> Response:
        """Answer with a file of an episode as it is, without secrets. Others than those of the record do not exist here."""
        _, episode = self._find(request, "run")
        file = episode.directory / request.path_params["file"]
        if not _RAW.fullmatch(file.name) or is_linked(file, DEPTH + 1):
            raise UnknownNameError("file", file.name, ["result.json", "eval.json", "conversation.json", "events.jsonl"])
        try:
            data = scrubbed(read_file(file))[0]
        except FileNotFoundError:
            raise RecordError(f"the episode has no {file.name}") from None
        return Response(data, media_type="text/plain; charset=utf-8")

    def search(self, request: Request) -> Response:
        """Answer with what has the words `q`, in one run or in all."""
        name, query = request.query_params.get("run"), request.query_params.get("q", "")
        runs = self._library.readable() if name is None else [self._library.run(name)]
        hits = search_runs(runs, query)
        return Response(to_json(hits), media_type="application/json")

    async def add_label(self, request: Request) -> Response:
        """Save a note or label about the episode or a part of it."""
        data = bytearray()
        async for piece in request.stream():
            data += piece
            if len(data) > _LARGEST_NOTE:
                return PlainTextResponse("a note has at most 64 kB\n", status_code=413)
        label = await run_in_threadpool(lambda: save_label(*self._find(request, "run"), bytes(data)))
        return Response(to_json(label), media_type="application/json", status_code=201)

    async def watch(self, request: Request) -> Response:
        """Answer with server-sent events about all runs, one run or one episode."""
        given = request.path_params
        if "repo" in given:
            await run_in_threadpool(self._find, request, "run")
            look = watch_episode(self._library, given["run"], _episode_name(given))
        else:
            if given:
                await run_in_threadpool(self._library.run, given["run"])
            look = watch_run(self._library, given["run"]) if given else watch_runs(self._library)
        return StreamingResponse(events(look, self._closing), media_type="text/event-stream")

    def _find(self, request: Request, run: str) -> tuple[RunResult, EpisodeView]:
        return self._library.episode(request.path_params[run], _episode_name(request.path_params))


def _page(page: str) -> Response:
    """Answer with a page, under the content policy that it brings along."""
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    return HTMLResponse(page, headers={"content-security-policy": f"{policy[1]}; frame-ancestors 'none'"})


def _episode_name(given: dict[str, str]) -> str:
    return "/".join(given[name] for name in ("repo", "task_id", "folder"))


async def _explain(request: Request, error: Exception) -> Response:
    """Answer with the line that the command line would print."""
    status = 404 if isinstance(error, UnknownNameError) else 409 if isinstance(error, RecordError) else 400
    return PlainTextResponse(f"{error}\n", status_code=status)
