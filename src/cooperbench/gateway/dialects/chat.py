"""Chat completions of OpenAI, and of most servers since."""

from typing import Any

from cooperbench.agents.mini_swe_agent.models.answers import EventReader
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.errors import ModelError
from cooperbench.gateway.dialects.base import (
    Dialect,
    Json,
    ModelCall,
    TokenCounts,
    count,
    dictionary,
)


class ChatCompletionReader:
    """Reads a chat completion."""

    def __init__(self) -> None:
        self.ended = False
        self.complete = False
        self.failure: object = None
        self._events = EventReader()
        self._usage: Json = {}

    def feed(self, event: Json) -> bool:
        """Read an event, or a whole answer."""
        self._usage = (
            dictionary(event.get("usage")) or dictionary(dictionary(event.get("x_groq")).get("usage")) or self._usage
        )
        if event.get("error") and not event.get("choices"):
            self.failure = event["error"]
            return False
        came = self._events.feed_event(event)
        self.ended = self.ended or self._events.said_why
        return came

    @property
    def tokens(self) -> TokenCounts:
        """The counts so far."""
        return chat_tokens(self._usage)

    def message(self) -> Json:
        """Return what the model has said so far."""
        try:
            return self._events.completion(cut=True).message
        except ModelError:  # nothing so far
            return {"role": "assistant", "content": None}


def chat_tokens(usage: Json) -> TokenCounts:
    """Read the counts of a chat completion, or of a response, which are the same under other names."""
    read = dictionary(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    written = dictionary(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    cost = usage.get("cost")
    cached = next(
        (usage[name] for name in ("prompt_cache_hit_tokens", "cache_read_input_tokens") if name in usage), None
    )
    return TokenCounts(
        input=count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        output=count(usage.get("completion_tokens", usage.get("output_tokens"))),
        cached=count(read.get("cached_tokens", cached)),
        cache_written=count(read.get("cache_write_tokens", read.get("cache_creation_tokens"))),
        reasoning=count(written.get("reasoning_tokens")),
        cost=float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None,
    )


class ChatCompletions(Dialect):
    """`/v1/chat/completions`."""

    name = "chat"
    path = "/chat/completions"

    def matches(self, path: str) -> bool:
        """Return whether a request to this path asks a model."""
        return path.endswith(self.path)

    def for_upstream(self, call: ModelCall, model: str, settings: ModelConfig) -> Json:
        """Return the body for a provider. A streamed answer has to end with its token counts, asked for or not."""
        given = settings.api_arguments()
        longest = given.pop("max_tokens", None)
        body = {**call.body, "model": model, **given}
        if longest is not None:
            body["max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"] = longest
        if call.stream:
            body["stream_options"] = {**dictionary(body.get("stream_options")), "include_usage": True}
        return body

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry a provider's key."""
        return {"authorization": f"Bearer {key}"}

    def reader(self) -> ChatCompletionReader:
        """Return a reader for one answer."""
        return ChatCompletionReader()

    def messages(self, body: Json) -> list[Json]:
        """Return the messages of a request."""
        given = body.get("messages")
        return [message for message in given if isinstance(message, dict)] if isinstance(given, list) else []

    def error(self, status: int, kind: str, message: str) -> Json:
        """Return an error object."""
        return {"error": openai_error(status, kind, message)}


def openai_error(status: int, kind: str, message: str) -> dict[str, Any]:
    """Return the fields of an error of OpenAI."""
    return {"message": message, "type": "invalid_request_error", "param": None, "code": kind}
