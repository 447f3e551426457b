"""Chat completions over HTTP with the standard library: local servers (vLLM, llama.cpp, Ollama, …) need no extra."""

import http.client
import json
import os
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel, for_provider
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.agents.reading import one_line
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
from cooperbench.records import Usage, utc_now


class OpenAICompatibleModel(ToolCallingModel):
    """A model behind `<base_url>/chat/completions`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if not (config.base_url or "").startswith(("http://", "https://")):
            raise UsageError(
                f"{config.base_url!r} is not the URL of a server", hint="--base-url http://localhost:8000/v1"
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
    """Read the key from the environment. A variable that the user named must be set."""
    if name is None:
        return os.environ.get("OPENAI_API_KEY")
    if not os.environ.get(name):
        raise UsageError(f"the environment variable {name} is not set", subject=name, hint=f"export {name}=…")
    return os.environ[name]


def _read(error: urllib.error.HTTPError) -> str:
    try:
        return error.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""


def provider_error(status: int, body: str, retry_after: str | None = None) -> ModelError:
    """Return the typed error for an HTTP status and the text of the provider."""
    text = f"the provider answered {status}: {one_line(body, 400)}"
    lowered = body.lower()
    if status in {401, 403}:
        return ModelAuthenticationError(text, hint="check the API key and its permissions")
    if status == 429 or status == 402:
        # Waiting does not restore a quota that only the owner of the account can raise.
        spent = status == 402 or "insufficient_quota" in lowered or "billing" in lowered
        error: ModelError = ModelRateLimitError(text, retryable=not spent)
    elif status in {408, 409} or status >= 500:
        error = ModelOverloadedError(text)
    elif "context_length" in lowered or "context length" in lowered or "maximum context" in lowered or status == 413:
        error = ModelContextWindowError(text)
    elif status in {404, 410}:
        error = ModelNotFoundError(text, hint="check the model name and the URL")
    else:
        error = ModelRequestError(text)
    error.retry_after = _seconds(retry_after)
    return error


def _seconds(retry_after: str | None) -> float | None:
    """Parse a `Retry-After` header: seconds, or a date."""
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        try:
            return max((parsedate_to_datetime(str(retry_after)) - utc_now()).total_seconds(), 0.0)
        except (ValueError, TypeError):
            return None


def read_completion(answer: object) -> Completion:
    """Parse a chat completion leniently. Raises `ModelAnswerError` when it contains no message."""
    try:
        choice = answer["choices"][0]  # type: ignore[index]
        message = choice["message"]
        role = message.get("role")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ModelAnswerError(
            f"the provider's answer contains no message: {one_line(json.dumps(answer), 400)}"
        ) from None
    kept = {key: value for key, value in message.items() if value is not None and key not in {"refusal", "annotations"}}
    return Completion(
        message={"content": None, **kept, "role": role or "assistant"},
        usage=read_usage(answer.get("usage")),  # type: ignore[attr-defined]
        finish_reason=choice.get("finish_reason"),
    )


def read_usage(usage: object) -> Usage:
    """Parse the token counts of the provider, which do not include the cost."""
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
