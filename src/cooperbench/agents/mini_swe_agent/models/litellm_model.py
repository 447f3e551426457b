"""Models of all providers that LiteLLM knows: OpenAI, Anthropic, Gemini, vLLM, …

LiteLLM takes 4 to 8 seconds and 185 MB to import, so it is imported when the first call is made. Its own retries are off: those in
`base` know the budget and say what they do.
"""

import importlib
import os
import warnings
from typing import Any

from cooperbench.agents._text import one_line, safe_text
from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig, ToolCallingModel, for_provider
from cooperbench.agents.mini_swe_agent.models.openai_compatible import provider_error, read_completion
from cooperbench.agents.mini_swe_agent.tools import Tool
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
                warnings.simplefilter("ignore")  # pydantic's remarks about LiteLLM's classes
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
                raise UsageError(f"the environment variable {self.config.api_key_env} holds no key")
        return given

    def _cache_marks(self) -> dict[str, Any]:
        """Anthropic's cache has to be asked for: up to the system prompt, and up to the last message."""
        if not self.config.prompt_cache or "claude" not in self.config.model_name:
            return {}
        return {
            "cache_control_injection_points": [
                {"location": "message", "role": "system"},
                {"location": "message", "index": -1},
            ]
        }


def _known(cost: object) -> float | None:
    """The cost as LiteLLM computed it; models without a price have none."""
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None


def load_litellm() -> Any:
    """Import LiteLLM, without its look at the network for prices. Raises `MissingExtraError`."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm: Any = importlib.import_module("litellm")
    except ModuleNotFoundError as error:
        raise MissingExtraError("calling this model", "litellm") from error
    litellm.suppress_debug_info = True
    return litellm


def missing_keys(model_name: str) -> tuple[str, ...]:
    """Environment variables that the model's provider wants and that are not set, as far as LiteLLM knows. Asks no network."""
    found = load_litellm().validate_environment(model=model_name)
    return () if found.get("keys_in_environment") else tuple(found.get("missing_keys") or ())


def typed_error(error: Exception) -> ModelError:
    """Our error for one of LiteLLM's, by its class and HTTP status."""
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
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return provider_error(status, text, headers.get("retry-after"))
    return ModelAnswerError(f"{type(error).__name__}: {text}")
