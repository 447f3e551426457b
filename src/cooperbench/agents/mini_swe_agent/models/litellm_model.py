"""Models of all providers that LiteLLM knows: OpenAI, Anthropic, Gemini, vLLM, …

LiteLLM takes 4 to 8 seconds and 185 MB to import, so the first call imports it. Its own retries are off: those in `base` report
what they do.
"""

import importlib
import os
import warnings
from typing import Any

from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel, for_provider
from cooperbench.agents.mini_swe_agent.models.openai_compatible import provider_error, read_completion
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.agents.reading import one_line, safe_text
from cooperbench.errors import (
    MissingExtraError,
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelOverloadedError,
    UsageError,
)


class LitellmModel(ToolCallingModel):
    """A model called through LiteLLM. `LitellmModel(model_name="gpt-4o", temperature=0.2)` takes the fields of `ModelConfig`."""

    def __init__(self, model_name: str | None = None, *, config: ModelConfig | None = None, **fields: Any) -> None:
        if config is None:
            config = ModelConfig.model_validate({"model_name": model_name, **fields})
        super().__init__(config)

    def _complete(self, messages: list[dict[str, Any]], tools: tuple[Tool, ...]) -> Completion:
        litellm = load_litellm()
        try:
            with charged_by_caller(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydantic warns about LiteLLM's classes
                response = litellm.completion(
                    model=self.config.model_name,
                    messages=for_provider(messages),
                    tools=[tool.definition() for tool in tools] or None,
                    timeout=self.config.timeout,
                    num_retries=0,
                    max_retries=0,
                    **self._connection(),
                    **self._cache_marks(),
                    **self.config.api_arguments(),
                )
                answer = response.model_dump()
        except Exception as error:
            raise typed_error(error) from error
        completion = read_completion(answer)
        cost = (getattr(response, "_hidden_params", None) or {}).get("response_cost")
        return completion.model_copy(update={"usage": completion.usage.model_copy(update={"cost": _known(cost)})})

    def _connection(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.config.base_url:
            given["api_base"] = self.config.base_url
        if self.config.api_key_env:
            given["api_key"] = os.environ.get(self.config.api_key_env)
            if not given["api_key"]:
                raise UsageError(f"the environment variable {self.config.api_key_env} is not set")
        return given

    def _cache_marks(self) -> dict[str, Any]:
        """Return the marks that Anthropic's prompt cache requires: one at the system prompt, one at the last message."""
        if not self.config.prompt_cache or "claude" not in self.config.model_name:
            return {}
        return {
            "cache_control_injection_points": [
                {"location": "message", "role": "system"},
                {"location": "message", "index": -1},
            ]
        }


def _known(cost: object) -> float | None:
    """Return the cost that LiteLLM computed; `None` for a model without a price."""
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None


def load_litellm() -> Any:
    """Import LiteLLM without letting it download prices. Raises `MissingExtraError`."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm: Any = importlib.import_module("litellm")
    except ModuleNotFoundError as error:
        raise MissingExtraError("calling this model", "litellm") from error
    litellm.suppress_debug_info = True
    return litellm


def missing_keys(model_name: str) -> tuple[str, ...]:
    """Return the environment variables that LiteLLM requires for the model and that are not set. Uses no network."""
    found = load_litellm().validate_environment(model=model_name)
    return () if found.get("keys_in_environment") else tuple(found.get("missing_keys") or ())


def typed_error(error: Exception) -> ModelError:
    """Convert an error of LiteLLM by its class and HTTP status."""
    if isinstance(error, ModelError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = one_line(safe_text(error), 500)
    if "ContextWindowExceededError" in kinds:
        return ModelContextWindowError(text)
    if kinds & {"AuthenticationError", "PermissionDeniedError"}:
        return ModelAuthenticationError(text, hint="check the provider's key in the environment")
    if kinds & {"APIConnectionError", "Timeout", "APITimeoutError"}:
        return ModelOverloadedError(text)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400:
        # `error.response` is one that LiteLLM makes up, without the provider's headers.
        headers = getattr(error, "litellm_response_headers", None) or {}
        return provider_error(status, text, headers.get("retry-after"))
    return ModelAnswerError(f"{type(error).__name__}: {text}")
