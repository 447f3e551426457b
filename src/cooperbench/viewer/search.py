"""Full-text search over the messages, steps and failing tests of episodes."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from cooperbench.errors import RecordError
from cooperbench.records import Record
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.files import is_linked, matching, read_file
from cooperbench.records.layout import DEPTH
from cooperbench.records.run_result import RunResult
from cooperbench.viewer.details import EpisodeParts, StepDetails
from cooperbench.viewer.episode import read_episode
from cooperbench.viewer.models import CHUNK

SHORTEST = 2
"""Characters of a query."""
MOST = 200
"""Hits that are returned."""
_BEFORE, _AFTER = 60, 120
"""Characters of an excerpt around a hit."""


class Hit(Record):
    """A text that has the words."""

    run: str
    episode: str
    place: str
    """The address on the page of the episode: `agent1.7`, `message.3`, `suite.naive.5`."""
    what: str
    before: str
    match: str
    after: str


class Hits(Record):
    """What a search found."""

    query: str
    hits: tuple[Hit, ...]
    more: bool
    """True if there are more than these."""


def search_runs(runs: Iterable[RunResult], query: str, most: int = MOST) -> Hits:
    """Find a text, in any case of its letters, in all episodes of some runs, in their order."""
    words = query.strip()
    found = list(islice((hit for run in runs for hit in _hits(run, words)), most + 1)) if len(words) >= SHORTEST else []
    return Hits(query=query, hits=tuple(found[:most]), more=len(found) > most)


def _hits(run: RunResult, words: str) -> Iterator[Hit]:
    for episode in run.episodes:
        if _may_have(episode, words):
            yield from _episode_hits(run, episode, words)


def _may_have(episode: EpisodeView, words: str) -> bool:
    """Look into the files as they are: putting a page together takes a hundred times as long."""
    forms = {json.dumps(words, ensure_ascii=escaped)[1:-1].lower() for escaped in (False, True)}
    for path in (*matching(episode.directory, "*.json"), *matching(episode.files.members, "*/messages.jsonl")):
        if is_linked(path, DEPTH + 4):
            continue
        try:
            text = read_file(path).decode("utf-8", "replace").lower()
        except (FileNotFoundError, RecordError):
            continue
        if any(form in text for form in forms):
            return True
    return False


def _episode_hits(run: RunResult, episode: EpisodeView, words: str) -> Iterator[Hit]:
    for place, what, text in _texts(read_episode(run, episode)):
        at = text.lower().find(words.lower())
        if at < 0:
            continue
        end = at + len(words)
        yield Hit(
            run=run.config.run,
            episode=str(episode.group),
            place=place,
            what=what,
            before=text[max(0, at - _BEFORE) : at],
            match=text[at:end],
            after=text[end : end + _AFTER],
        )


def _texts(parts: EpisodeParts) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the kind and the text of everything that is searched."""
    page = parts.page
    for message in page.messages:
        yield message.id, f"{message.sender} to {message.to}", message.text
    for chunk in parts.chunks:
        for position, step in enumerate(chunk.steps, chunk.chunk * CHUNK + 1):
            for what, text in _step_texts(step):
                yield f"{chunk.agent_id}.{position}", f"{chunk.agent_id}, step {position}, {what}", text
    for suite in page.suites:
        for test in () if suite.reused else suite.failing:
            yield suite.id, f"feature {suite.feature}, {suite.stage}", f"{test.name}\n{test.output or ''}"


def _step_texts(step: StepDetails) -> Iterator[tuple[str, str]]:
    yield "thought", step.thought
    yield "reasoning", step.reasoning
    for call in step.calls:
        yield call.tool, call.text
    for answer in step.answers:
        yield "output", answer.text
    for note in step.notes:
        yield "given", note
