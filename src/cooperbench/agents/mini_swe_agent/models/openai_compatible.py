"""Chat completions over HTTP with the standard library: local servers (vLLM, llama.cpp, Ollama, …) need nothing installed."""

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Any

from cooperbench.agents._text import one_line
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel, for_provider
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelRequestError,
    UsageError,
)
from cooperbench.records import Usage


class OpenAICompatibleModel(ToolCallingModel):
    """A model behind `<base_url>/chat/completions`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if not (config.base_url or "").startswith(("http://", "https://")):
            raise UsageError(
                f"{config.base_url!r} is not the address of a server", hint="--base-url http://localhost:8000/v1"
            )
        self._url = f"{(config.base_url or '').rstrip('/')}/chat/completions"
        self._key = _key(config.api_key_env)

    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        body: dict[str, Any] = {"model": self.config.model_name, "messages": for_provider(messages)}
        if tools:
            body["tools"] = [tool.definition() for tool in tools]
        return read_completion(self._post({**body, **self.config.api_arguments()}))

    def _post(self, body: dict[str, Any]) -> object:
        headers = {"Content-Type": "application/json", "User-Agent": "cooperbench"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.config.timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise provider_error(error.code, _read(error), error.headers.get("Retry-After")) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ModelOverloadedError(f"{self._url} does not answer: {reason}", subject=self._url) from error
        except ValueError as error:
            raise ModelAnswerError(f"{self._url} did not answer with JSON: {error}", subject=self._url) from error


def _key(name: str | None) -> str | None:
    """The key from the environment. One that was asked for by name must be there."""
    if name is None:
        return os.environ.get("OPENAI_API_KEY")
    if not os.environ.get(name):
        raise UsageError(f"the environment variable {name} holds no key", subject=name, hint=f"export {name}=…")
    return os.environ[name]


def _read(error: urllib.error.HTTPError) -> str:
    try:
        return error.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""


def provider_error(status: int, body: str, retry_after: str | None = None) -> ModelError:
    """The typed error for an HTTP status and what the provider said."""
    text = f"the provider answered {status}: {one_line(body, 400)}"
    lowered = body.lower()
    if status in {401, 403}:
        return ModelAuthenticationError(text, hint="check the key and what it may use")
    if status == 429 or status == 402:
        # Quota that only the account's owner can renew does not come back by waiting.
        spent = status == 402 or "insufficient_quota" in lowered or "billing" in lowered
        error: ModelError = ModelRateLimitError(text, retryable=not spent)
    elif status in {408, 409} or status >= 500:
        error = ModelOverloadedError(text)
    elif "context_length" in lowered or "context length" in lowered or "maximum context" in lowered or status == 413:
        error = ModelContextWindowError(text)
    elif status in {404, 410}:
        error = ModelNotFoundError(text, hint="check the name of the model and the address")
    else:
        error = ModelRequestError(text)
    try:
        error.retry_after = float(retry_after) if retry_after else None
    except ValueError:
        error.retry_after = None  # a date; our own pauses will do
    return error


def read_completion(answer: object) -> Completion:
    """Read a chat completion as far as it can be read. Raises `ModelAnswerError` when there is no message in it."""
    try:
        choice = answer["choices"][0]  # type: ignore[index]
        message = choice["message"]
        role = message.get("role")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ModelAnswerError(f"the provider's answer holds no message: {one_line(json.dumps(answer), 400)}") from None
    kept = {key: value for key, value in message.items() if value is not None and key not in {"refusal", "annotations"}}
    return Completion(
        message={"content": None, **kept, "role": role or "assistant"},
        usage=read_usage(answer.get("usage")),  # type: ignore[attr-defined]
        finish_reason=choice.get("finish_reason"),
    )


def read_usage(usage: object) -> Usage:
    """Tokens as counted by the provider; the cost is not in it."""
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(cached),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
