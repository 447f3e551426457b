"""What each API of a model's provider has of its own: names of fields, events, errors, token counts."""

import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from pydantic import Field

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.records import Record

Json = dict[str, Any]
LARGEST_COUNT = 1e15
"""Tokens. More than that is not a count."""


class ModelCall(Record):
    """A request for an answer of a model, as a program sends it."""

    dialect: str
    path: str = Field(description="Path below the address of the gateway.")
    query: dict[str, str] = Field(default_factory=dict, description="Without a key.")
    headers: dict[str, str] = Field(default_factory=dict, description="Those that are passed on.")
    model: str = Field(description="Model that the program named.")
    stream: bool
    body: Json


class TokenCounts(Record):
    """Tokens of a call as its provider counts them; `None` where it does not say."""

    input: int | None = None
    """Everything that was read, cached or not."""
    output: int | None = None
    """Everything that was written, reasoning included."""
    cached: int | None = None
    """The part of `input` that was read from the provider's cache."""
    cache_written: int | None = None
    """The part of `input` that was written to the cache."""
    reasoning: int | None = None
    """The part of `output` that is reasoning."""
    cost: float | None = None
    """US dollars, where the provider says it."""


class AnswerReader(Protocol):
    """Reads one answer, whole or in events, while it passes through."""

    ended: bool
    """Whether all that the model says has come."""
    complete: bool
    """Whether nothing more will come, counts included."""
    failure: object
    """The error that came instead of an answer, or in the middle of it; else `None`."""

    def feed(self, event: Json) -> bool:
        """Read an event, or a whole answer. Return whether it held a part of what the model says."""
        ...

    @property
    def tokens(self) -> TokenCounts:
        """The counts so far."""
        ...

    def message(self) -> Json:
        """Return what the model has said so far, as a message of a chat completion."""
        ...


class Dialect(ABC):
    """An API of a provider. Implementations have no state."""

    name: str
    path: str
    """Path of a request at a provider, below its base URL."""
    required_headers: ClassVar[dict[str, str]] = {}
    """Headers that a provider wants from programs that do not send them."""

    @abstractmethod
    def matches(self, path: str) -> bool:
        """Return whether a request to this path asks a model."""

    def asked_model(self, path: str, body: Json) -> str:
        """Return the model that a request names."""
        return str(body.get("model") or "")

    def streams(self, path: str, body: Json) -> bool:
        """Return whether the caller wants events."""
        return body.get("stream") is True

    @abstractmethod
    def for_upstream(self, call: ModelCall, model: str, settings: ModelConfig) -> Json:
        """Return the body for a provider that speaks this dialect: the run's model and settings replace the program's."""

    def upstream_path(self, call: ModelCall, model: str) -> str:
        """Return the path below the base URL of a provider that speaks this dialect."""
        return self.path

    @abstractmethod
    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry a provider's key."""

    @abstractmethod
    def reader(self) -> AnswerReader:
        """Return a reader for one answer."""

    @abstractmethod
    def messages(self, body: Json) -> list[Json]:
        """Return the messages of a request as those of chat completions, for the history."""

    @abstractmethod
    def error(self, status: int, kind: str, message: str) -> Json:
        """Return an error object. `kind` is a word such as `limit_reached`."""

    def error_event(self, error: Json) -> bytes:
        """Return the event that reports an error in the middle of an answer."""
        return b"data: " + json.dumps(error).encode() + b"\n\n"


def text_of(content: object) -> str:
    """Join the texts of a content that is a text, a part, or a list of parts. Other parts are named in brackets."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        text = next((content[name] for name in ("text", "output", "content") if name in content), None)
        return text_of(text) if text is not None else f"[{content.get('type', 'part')}]"
    return "\n".join(filter(None, map(text_of, content))) if isinstance(content, list) else ""


def count(value: object) -> int | None:
    """Return a token count, which may come as an integer, a float or text; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < LARGEST_COUNT else None


def dictionary(value: object) -> Json:
    """Return a JSON object; an empty one for what is not one."""
    return value if isinstance(value, dict) else {}


def dictionaries(value: object) -> list[Json]:
    """Return the JSON objects of a list; an empty list for what is not one."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
