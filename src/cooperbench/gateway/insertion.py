"""Put what teammates write to the last tool result of a request, so that a program's model sees it without asking.

The program does not know of the insertion, and sends its history without it the next time. So each insertion is remembered by the id
of the call whose result it stands at, and made again in every later request: the model sees one history, which its provider can cache.
"""

import copy
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cooperbench.gateway.dialects import Json, ModelCall


class ResultPlace(NamedTuple):
    """A tool result in a request: the id of its call, and how to put a text behind it."""

    call: str
    append: Callable[[str], None]


class ToolResultInsertion:
    """Adds texts to requests. `news` returns what is new, empty for nothing. Safe to use from several threads."""

    def __init__(self, news: Callable[[], str]) -> None:
        self._news = news
        self._inserted: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def rewrite(self, call: ModelCall) -> ModelCall:
        """Return the call with everything that was inserted before, and with what is new at its last result."""
        body = copy.deepcopy(call.body)
        places = list(_PLACES[call.dialect](body))
        if not places:
            return call
        with self._lock:
            if text := self._news():
                self._inserted.setdefault(places[-1].call, []).append(text)
            for place in places:
                for inserted in self._inserted.get(place.call, ()):
                    place.append(inserted)
        return call.model_copy(update={"body": body})


def _chat(body: Json) -> Iterator[ResultPlace]:
    for message in _objects(body.get("messages")):
        if message.get("role") == "tool":
            yield ResultPlace(str(message.get("tool_call_id")), _to_field(message, "content", "text"))


def _responses(body: Json) -> Iterator[ResultPlace]:
    for item in _objects(body.get("input")):
        if str(item.get("type")).endswith("call_output"):
            yield ResultPlace(str(item.get("call_id")), _to_field(item, "output", "input_text"))


def _anthropic(body: Json) -> Iterator[ResultPlace]:
    for message in _objects(body.get("messages")):
        blocks = message.get("content")
        results = [block for block in _objects(blocks) if block.get("type") == "tool_result"]
        if results and isinstance(blocks, list):
            yield ResultPlace(str(results[-1].get("tool_use_id")), _to_blocks(blocks, "text"))


def _gemini(body: Json) -> Iterator[ResultPlace]:
    number = 0
    for content in _objects(body.get("contents")):
        parts = content.get("parts")
        results = [
            part["functionResponse"] for part in _objects(parts) if isinstance(part.get("functionResponse"), dict)
        ]
        number += len(results)
        if results and isinstance(parts, list):
            yield ResultPlace(str(results[-1].get("id") or number), _to_blocks(parts, None))


def _to_field(holder: Json, name: str, kind: str) -> Callable[[str], None]:
    def append(text: str) -> None:
        given = holder.get(name)
        if isinstance(given, list):
            given.append({"type": kind, "text": text})
        else:
            holder[name] = f"{given or ''}\n\n{text}"

    return append


def _to_blocks(blocks: list[object], kind: str | None) -> Callable[[str], None]:
    return lambda text: blocks.append({"text": text} if kind is None else {"type": kind, "text": text})


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_PLACES: dict[str, Callable[[Json], Iterator[ResultPlace]]] = {
    "anthropic": _anthropic,
    "chat": _chat,
    "gemini": _gemini,
    "responses": _responses,
}
