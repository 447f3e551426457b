"""Responses of OpenAI."""

import json

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.gateway.dialects.base import (
    Dialect,
    Json,
    ModelCall,
    TokenCounts,
    dictionaries,
    dictionary,
    text_of,
)
from cooperbench.gateway.dialects.chat import chat_tokens, openai_error

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.done"})
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call"})


class ResponsesReader:
    """Reads a response."""

    def __init__(self) -> None:
        self.ended = False
        self.complete = False
        self.failure: object = None
        self._usage: Json = {}
        self._items: list[Json] = []
        self._text = ""

    def feed(self, event: Json) -> bool:
        """Read an event, or a whole response."""
        kind = str(event.get("type") or "")
        response = event if event.get("object") == "response" else dictionary(event.get("response"))
        self._usage = dictionary(response.get("usage")) or self._usage
        if kind == "error" or (not kind and event.get("error") and not response):
            self.failure = event.get("error") or event
        if response and (kind in _LAST or event is response):
            self._end(response)
            return event is response
        if kind == "response.output_item.done":
            self._items.append(dictionary(event.get("item")))
            return True
        if kind == "response.output_text.delta":
            self._text += str(event.get("delta") or "")
        return kind.endswith(".delta")

    def _end(self, response: Json) -> None:
        self.ended = self.complete = True
        self._items = dictionaries(response.get("output")) or self._items
        if response.get("status") == "failed":
            self.failure = response.get("error") or "the response failed"

    @property
    def tokens(self) -> TokenCounts:
        """The counts so far."""
        return chat_tokens(self._usage)

    def message(self) -> Json:
        """Return what the model has said so far."""
        texts = [text_of(item.get("content")) for item in self._items if item.get("type") == "message"]
        calls = [_call(item) for item in self._items if item.get("type") in _CALLS]
        thoughts = [text_of(item.get("summary")) for item in self._items if item.get("type") == "reasoning"]
        message: Json = {"role": "assistant", "content": "\n".join(texts) or (self._text if not calls else "") or None}
        if thought := "\n".join(filter(None, thoughts)):
            message["reasoning_content"] = thought
        return {**message, "tool_calls": calls} if calls else message


class Responses(Dialect):
    """`/v1/responses`."""

    name = "responses"
    path = "/responses"

    def matches(self, path: str) -> bool:
        """Return whether a request to this path asks a model."""
        return path.endswith(self.path)

    def for_upstream(self, call: ModelCall, model: str, settings: ModelConfig) -> Json:
        """Return the body for a provider."""
        given = settings.api_arguments()
        given.pop("seed", None)  # this API has none
        body = {**call.body, "model": model}
        if (longest := given.pop("max_tokens", None)) is not None:
            body["max_output_tokens"] = longest
        if (effort := given.pop("reasoning_effort", None)) is not None:
            body["reasoning"] = {**dictionary(body.get("reasoning")), "effort": effort}
        return {**body, **given}

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry a provider's key."""
        return {"authorization": f"Bearer {key}"}

    def reader(self) -> ResponsesReader:
        """Return a reader for one answer."""
        return ResponsesReader()

    def messages(self, body: Json) -> list[Json]:
        """Return the items of a request as messages of chat completions."""
        system = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
        given = body.get("input")
        if isinstance(given, str):
            return [*system, {"role": "user", "content": given}]
        return [*system, *(message for item in dictionaries(given) if (message := _message(item)))]

    def error(self, status: int, kind: str, message: str) -> Json:
        """Return an error object."""
        return {"error": openai_error(status, kind, message)}

    def error_event(self, error: Json) -> bytes:
        """Return the event that reports an error in the middle of an answer."""
        response = {"id": "resp_error", "object": "response", "status": "failed", "error": error["error"], "output": []}
        event = {"type": "response.failed", "response": response}
        return b"event: response.failed\ndata: " + json.dumps(event).encode() + b"\n\n"


def _call(item: Json) -> Json:
    given = next((item[name] for name in ("arguments", "input", "action", "operation") if name in item), "")
    arguments = given if isinstance(given, str) else json.dumps(given)
    name = str(item.get("name") or str(item.get("type")).removesuffix("_call"))
    identifier = str(item.get("call_id") or item.get("id") or "")
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def _message(item: Json) -> Json | None:
    kind = str(item.get("type") or "message")
    if kind == "message":
        role = str(item.get("role") or "user")
        return {"role": "system" if role == "developer" else role, "content": text_of(item.get("content"))}
    if kind in _CALLS:
        return {"role": "assistant", "content": None, "tool_calls": [_call(item)]}
    if kind.endswith("_output"):
        return {"role": "tool", "tool_call_id": str(item.get("call_id")), "content": text_of(item.get("output"))}
    return None  # reasoning, which may be encrypted
