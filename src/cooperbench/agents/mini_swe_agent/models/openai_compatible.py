"""Chat completions over HTTP with the standard library: local servers (vLLM, llama.cpp, Ollama, …) need no extra."""

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from cooperbench.agents.budget import current_budget
from cooperbench.agents.mini_swe_agent.models.answers import EventReader, read_answer
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.models.remote import EVENTS, RemoteModel, bounded
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import ModelAnswerError, ModelOverloadedError, ModelTimeoutError, UsageError

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes."""
STALLED = 30.0
"""Seconds without a token after which a model no longer counts as talking."""


class OpenAICompatibleModel(RemoteModel):
    """A model behind `<base_url>/chat/completions`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if not (config.base_url or "").startswith(("http://", "https://")):
            raise UsageError(
                f"{config.base_url!r} is not the URL of a server", hint="--base-url http://localhost:8000/v1"
            )
        self._url = f"{(config.base_url or '').rstrip('/')}/chat/completions"
        self._key = _key(config.api_key_env)

    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        body: dict[str, Any] = {"model": self.config.model_name, "messages": view}
        if tools:
            body["tools"] = [tool.definition() for tool in tools]
        if self.config.stream and EVENTS not in self._refused:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        exchange = _Exchange()
        try:
            bounded(self.config.timeout, lambda: self._post({**body, **arguments}, exchange))
        except ModelTimeoutError:
            if (so_far := exchange.so_far(min(STALLED, self.config.timeout / 2))) is None:
                raise
            return so_far
        return exchange.completion()

    def _post(self, body: dict[str, Any], exchange: "_Exchange") -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "cooperbench"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.config.timeout) as response:
                while exchange.take(response.read1(65536)):
                    pass
        except urllib.error.HTTPError as error:
            with error:
                raise provider_error(error.code, _read(error), error.headers.get("Retry-After")) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise ModelTimeoutError(f"{self._url} does not answer: {reason}", subject=self._url) from error
            raise ModelOverloadedError(f"{self._url} does not answer: {reason}", subject=self._url) from error


class _Exchange:
    """The answer to one request, as far as it has come. One thread reads it, another may end it."""

    def __init__(self) -> None:
        self._events = EventReader()
        self._body = bytearray()
        """The body, or of events the line that is not complete."""
        self._streamed: bool | None = None
        self._over = False
        self._heard_at = 0.0
        self._lock = threading.Lock()

    def take(self, data: bytes) -> bool:
        """Add what came. Return whether to read on."""
        with self._lock:
            if self._over or not data:
                return False
            self._body += data
            if self._streamed is None and (start := bytes(self._body[:64]).lstrip()):
                self._streamed = start.startswith((b"data:", b"event:", b":", b"id:"))
            if self._streamed:
                *lines, rest = self._body.split(b"\n")
                self._body = bytearray(rest)
                self._feed(lines)
            if len(self._body) > LARGEST_ANSWER:
                raise ModelAnswerError(f"the provider's answer is larger than {LARGEST_ANSWER} bytes")
        return True

    def so_far(self, recently: float) -> Completion | None:
        """End the exchange, and return what came if the model was still talking; `None` for silence."""
        with self._lock:
            self._over = True
            talking = self._events.started and time.monotonic() - self._heard_at <= recently
            return self._events.completion(cut=True) if talking else None

    def completion(self) -> Completion:
        """Return the whole answer. Raises `ModelError`."""
        with self._lock:
            if not self._streamed:
                return read_answer(self._body.decode("utf-8", "replace"))
            self._feed([bytes(self._body)])
            return self._events.completion()

    def _feed(self, lines: list[bytearray] | list[bytes]) -> None:
        came = [self._events.feed(line.decode("utf-8", "replace").strip("\r")) for line in lines]
        if any(came):
            self._heard_at = time.monotonic()
            current_budget().note_answering()


def _key(name: str | None) -> str | None:
    """Read the key from the environment. A variable that the user named must be set."""
    if name is None:
        return os.environ.get("OPENAI_API_KEY")
    if not os.environ.get(name):
        raise UsageError(f"the environment variable {name} is not set", subject=name, hint=f"export {name}=…")
    return os.environ[name]


def _read(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(LARGEST_ANSWER).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
