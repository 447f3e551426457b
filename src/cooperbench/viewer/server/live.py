"""Server-sent events: what has changed in the runs, sent while pages are open."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool

from cooperbench.errors import CooperBenchError
from cooperbench.records.secrets import scrubbed
from cooperbench.viewer.index import RunPage
from cooperbench.viewer.server.episodes import episode_stamp
from cooperbench.viewer.server.library import Library

PAUSE = 1.0
"""Seconds between two looks at the record."""
_QUIET = 15
"""Looks without a change after which a comment is sent, so that a connection whose browser is gone ends."""

Look = Callable[[], dict[str, Any] | None]
"""Returns what is new since the last look, or `None`."""
Closing = Callable[[], bool]
"""Returns true once the server ends."""


async def events(look: Look, closing: Closing) -> AsyncIterator[bytes]:
    """Yield a server-sent event for each change, until the server ends."""
    quiet = 0
    yield b"retry: 2000\n\n"
    while not closing():
        try:
            news = await run_in_threadpool(look)
        except CooperBenchError as error:  # removed, or in the middle of a change: the next look may find it
            news = {"problem": error.message}
        quiet = 0 if news is not None else quiet + 1
        if news is not None:
            yield b"data: " + scrubbed(json.dumps(news, separators=(",", ":")).encode())[0] + b"\n\n"
        elif quiet % _QUIET == 0:
            yield b": nothing new\n\n"
        for _ in range(5):
            if not closing():
                await asyncio.sleep(PAUSE / 5)


def watch_runs(library: Library) -> Look:
    """Return a look at the list of runs: all entries, when one has changed."""
    before: list[dict[str, Any]] = []

    def look() -> dict[str, Any] | None:
        nonlocal before
        now = [entry.model_dump(mode="json", exclude_defaults=True) for entry in library.entries()]
        changed, before = now != before, now
        return {"runs": now} if changed else None

    return look


def watch_run(library: Library, name: str) -> Look:
    """Return a look at one run: its entry and the rows that have changed, by position; all of it when the plan has grown."""
    before: RunPage | None = None

    def look() -> dict[str, Any] | None:
        nonlocal before
        now, last = library.page(name), before
        before = now
        if last is None or [group.episode for group in last.groups] != [group.episode for group in now.groups]:
            return {"page": now.model_dump(mode="json", exclude_defaults=True)}
        changed = {
            str(position): group.model_dump(mode="json", exclude_defaults=True)
            for position, (group, old) in enumerate(zip(now.groups, last.groups, strict=True))
            if group != old
        }
        if not changed and now.run == last.run:
            return None
        return {"run": now.run.model_dump(mode="json", exclude_defaults=True), "groups": changed}

    return look


def watch_episode(library: Library, name: str, episode: str) -> Look:
    """Return a look at one episode: its stamp, when that is another one. The page then reads its parts again."""
    before = ""

    def look() -> dict[str, Any] | None:
        nonlocal before
        now = episode_stamp(*library.episode(name, episode))
        changed, before = now != before, now
        return {"stamp": now} if changed else None

    return look
