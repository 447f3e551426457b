"""`generateContent` of Gemini."""

import json
import re

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.gateway.dialects.base import (
    Dialect,
    Json,
    ModelCall,
    TokenCounts,
    count,
    dictionaries,
    dictionary,
)

_PATH = re.compile(r"/models/(?P<model>[^:]+):(?P<verb>generateContent|streamGenerateContent)$")
_SETTINGS = {"temperature": "temperature", "top_p": "topP", "max_tokens": "maxOutputTokens", "seed": "seed"}
_STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


class GeminiReader:
    """Reads an answer of Gemini."""

    def __init__(self) -> None:
        self.ended = False
        self.complete = False
        self.failure: object = None
        self._usage: Json = {}
        self._parts: list[Json] = []

    def feed(self, event: Json) -> bool:
        """Read an event, or a whole answer."""
        self._usage = {**self._usage, **dictionary(event.get("usageMetadata"))}
        self.failure = event.get("error") or self.failure
        candidate = next(iter(dictionaries(event.get("candidates"))), {})
        parts = dictionaries(dictionary(candidate.get("content")).get("parts"))
        self._parts += parts
        blocked = dictionary(event.get("promptFeedback")).get("blockReason")
        self.ended = self.ended or bool(candidate.get("finishReason") or blocked)
        return bool(parts)

    @property
    def tokens(self) -> TokenCounts:
        """The counts so far. Gemini counts thoughts, and what its own tools read, apart."""

        def total(*names: str) -> int | None:
            found = [number for name in names if (number := count(self._usage.get(name))) is not None]
            return sum(found) if found else None

        return TokenCounts(
            input=total("promptTokenCount", "toolUsePromptTokenCount"),
            output=total("candidatesTokenCount", "thoughtsTokenCount"),
            cached=total("cachedContentTokenCount"),
            reasoning=total("thoughtsTokenCount"),
        )

    def message(self) -> Json:
        """Return what the model has said so far."""
        return _assistant(self._parts)


class GeminiContent(Dialect):
    """`/v1beta/models/MODEL:generateContent` and `:streamGenerateContent`."""

    name = "gemini"
    path = "/models"

    def matches(self, path: str) -> bool:
        """Return whether a request to this path asks a model."""
        return _PATH.search(path) is not None

    def asked_model(self, path: str, body: Json) -> str:
        """Return the model that a request names in its path."""
        found = _PATH.search(path)
        return found["model"] if found else ""

    def streams(self, path: str, body: Json) -> bool:
        """Return whether the caller wants events."""
        return path.endswith(":streamGenerateContent")

    def upstream_path(self, call: ModelCall, model: str) -> str:
        """Return the path of the same request for the run's model."""
        verb = "streamGenerateContent" if call.stream else "generateContent"
        return f"/models/{model}:{verb}{'?alt=sse' if call.query.get('alt') == 'sse' else ''}"

    def for_upstream(self, call: ModelCall, model: str, settings: ModelConfig) -> Json:
        """Return the body for a provider."""
        given = settings.api_arguments()
        generation = dict(dictionary(call.body.get("generationConfig")))
        generation |= {theirs: given.pop(ours) for ours, theirs in _SETTINGS.items() if ours in given}
        if (effort := given.pop("reasoning_effort", None)) is not None:
            thinking = dictionary(generation.get("thinkingConfig"))
            kept = {name: value for name, value in thinking.items() if name != "thinkingBudget"}
            generation["thinkingConfig"] = {**kept, "thinkingLevel": effort}
        body = {name: value for name, value in call.body.items() if name != "model"}
        return {**body, **({"generationConfig": generation} if generation else {}), **given}

    def key_headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry a provider's key."""
        return {"x-goog-api-key": key}

    def reader(self) -> GeminiReader:
        """Return a reader for one answer."""
        return GeminiReader()

    def messages(self, body: Json) -> list[Json]:
        """Return the contents of a request as messages of chat completions."""
        instruction = dictionary(body.get("systemInstruction") or body.get("system_instruction"))
        system = _text(dictionaries(instruction.get("parts")))
        messages: list[Json] = [{"role": "system", "content": system}] if system else []
        for content in dictionaries(body.get("contents")):
            parts = dictionaries(content.get("parts"))
            messages += [_assistant(parts)] if content.get("role") == "model" else _user(parts)
        return messages

    def error(self, status: int, kind: str, message: str) -> Json:
        """Return an error object."""
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": kind.upper()}]
        name = _STATUSES.get(status, "FAILED_PRECONDITION")
        return {"error": {"code": status, "message": message, "status": name, "details": details}}


def _text(parts: list[Json], *, thoughts: bool = False) -> str:
    return "".join(str(part.get("text") or "") for part in parts if bool(part.get("thought")) == thoughts)


def _assistant(parts: list[Json]) -> Json:
    message: Json = {"role": "assistant", "content": _text(parts) or None}
    if thought := _text(parts, thoughts=True):
        message["reasoning_content"] = thought
    given = [dictionary(part["functionCall"]) for part in parts if "functionCall" in part]
    calls = [
        {
            "id": str(call.get("id") or f"{call.get('name')}_{number}"),
            "type": "function",
            "function": {"name": str(call.get("name")), "arguments": json.dumps(call.get("args") or {})},
        }
        for number, call in enumerate(given)
    ]
    return {**message, "tool_calls": calls} if calls else message


def _user(parts: list[Json]) -> list[Json]:
    results = [dictionary(part["functionResponse"]) for part in parts if "functionResponse" in part]
    messages: list[Json] = [
        {
            "role": "tool",
            "tool_call_id": str(result.get("id") or f"{result.get('name')}_{number}"),
            "content": json.dumps(result.get("response")),
        }
        for number, result in enumerate(results)
    ]
    text = _text(parts)
    return [*messages, {"role": "user", "content": text}] if text or not messages else messages
