"""Messages of Anthropic."""

import json
from typing import ClassVar

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.gateway.dialects.base import (
    Dialect,
    Json,
    ModelCall,
    TokenCounts,
    count,
    dictionaries,
    dictionary,
    text_of,
)

VERSION = "2023-06-01"
"""The version of the API, which every request has to name."""
_COUNTED = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class AnthropicReader:
    """Reads an answer of Anthropic."""

    def __init__(self) -> None:
        self.ended = False
        self.complete = False
        self.failure: object = None
        self._counts: dict[str, int] = {}
        self._blocks: dict[int, Json] = {}

    def feed(self, event: Json) -> bool:
        """Read an event, or a whole answer."""
        kind = str(event.get("type") or "")
        message = event if kind == "message" else dictionary(event.get("message"))
        for usage in (dictionary(message.get("usage")), dictionary(event.get("usage"))):
            # Counts grow while an answer comes; some servers leave out in the end what they counted at the start.
            for name in _COUNTED:
                if (number := count(usage.get(name))) is not None:
                    self._counts[name] = max(self._counts.get(name, 0), number)
        if event.get("error") or kind == "error":
            self.failure = event.get("error") or event
        if kind == "message":
            self._blocks = dict(enumerate(dictionaries(event.get("content"))))
        elif kind == "content_block_start":
            self._blocks[_index(event)] = dict(dictionary(event.get("content_block")))
        elif kind == "content_block_delta":
            self._add(_index(event), dictionary(event.get("delta")))
        self.complete = self.complete or kind in {"message", "message_stop"}
        self.ended = self.complete or bool(dictionary(event.get("delta")).get("stop_reason"))
        return kind in {"message", "content_block_start", "content_block_delta"}

    def _add(self, index: int, delta: Json) -> None:
        block = self._blocks.setdefault(index, {"type": "text"})
        for name, field in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
            if isinstance(delta.get(name), str):
                block[field] = str(block.get(field) or "") + delta[name]

    @property
    def tokens(self) -> TokenCounts:
        """The counts so far. Anthropic counts input that was cached apart."""
        counts = self._counts
        read, written = counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens")
        given = counts.get("input_tokens")
        return TokenCounts(
            input=None if given is None else given + (read or 0) + (written or 0),
            output=counts.get("output_tokens"),
            cached=read,
            cache_written=written,
        )

    def message(self) -> Json:
        """Return what the model has said so far."""
        return _assistant([block for _, block in sorted(self._blocks.items())])


class AnthropicMessages(Dialect):
    """`/v1/messages`."""

    name = "anthropic"
    path = "/messages"
    required_headers: ClassVar[dict[str, str]] = {"anthropic-version": VERSION}

    def matches(self, path: str) -> bool:
        """Return whether a request to this path asks a model."""
        return path.endswith(self.path)

    def for_upstream(self, call: ModelCall, model: str, settings: ModelConfig) -> Json:
        """Return the body for a provider."""
        given = settings.api_arguments()
        given.pop("seed", None)  # this API has none
        if (effort := given.pop("reasoning_effort", None)) is not None:
            given["output_config"] = {**dictionary(call.body.get("output_config")), "effort": effort}
        return {**call.body, "model": model, **given}

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry a provider's key."""
        return {"x-api-key": key}

    def reader(self) -> AnthropicReader:
        """Return a reader for one answer."""
        return AnthropicReader()

    def messages(self, body: Json) -> list[Json]:
        """Return the messages of a request as those of chat completions."""
        system = text_of(body.get("system"))
        messages: list[Json] = [{"role": "system", "content": system}] if system else []
        for message in dictionaries(body.get("messages")):
            messages += _turn(str(message.get("role")), message.get("content"))
        return messages

    def error(self, status: int, kind: str, message: str) -> Json:
        """Return an error object."""
        types = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}
        error = {"type": types.get(status, "invalid_request_error"), "message": message, "code": kind}
        return {"type": "error", "error": error}

    def error_event(self, error: Json) -> bytes:
        """Return the event that reports an error in the middle of an answer."""
        return b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"


def _index(event: Json) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _assistant(blocks: list[Json]) -> Json:
    message: Json = {"role": "assistant", "content": "".join(str(block.get("text") or "") for block in blocks) or None}
    if thought := "".join(str(block.get("thinking") or "") for block in blocks):
        message["reasoning_content"] = thought
    calls = [
        {
            "id": str(block.get("id")),
            "type": "function",
            "function": {
                "name": str(block.get("name")),
                "arguments": block.get("json") or json.dumps(block.get("input") or {}),
            },
        }
        for block in blocks
        if block.get("type") in {"tool_use", "server_tool_use"}
    ]
    return {**message, "tool_calls": calls} if calls else message


def _turn(role: str, content: object) -> list[Json]:
    """Return one turn: results of tools are messages of their own in chat completions."""
    blocks = dictionaries(content)
    if role == "assistant":
        return [_assistant(blocks or [{"type": "text", "text": text_of(content)}])]
    results = [
        {"role": "tool", "tool_call_id": str(block.get("tool_use_id")), "content": text_of(block.get("content"))}
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    text = text_of([block for block in blocks if block.get("type") != "tool_result"] if blocks else content)
    return [*results, {"role": role, "content": text}] if text else results
