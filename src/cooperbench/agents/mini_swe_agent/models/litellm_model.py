"""Models of all providers that LiteLLM knows: OpenAI, Anthropic, Gemini, vLLM, …

LiteLLM takes 4 to 8 seconds and 185 MB to import, so the first call imports it. Its own retries are off: those in `base` report
what they do.
"""

import importlib
import os
import warnings
from typing import Any

from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models.answers import read_answer, read_completion
from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.models.remote import RemoteModel, bounded
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.agents.reading import one_line, safe_text
from cooperbench.errors import (
    MissingExtraError,
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelRequestError,
    ModelTimeoutError,
    UsageError,
)


class LitellmModel(RemoteModel):
    """A model called through LiteLLM. `LitellmModel(model_name="gpt-4o", temperature=0.2)` takes the fields of `ModelConfig`."""

    def __init__(self, model_name: str | None = None, *, config: ModelConfig | None = None, **fields: Any) -> None:
        if config is None:
            config = ModelConfig.model_validate({"model_name": model_name, **fields})
        super().__init__(config)

    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        litellm = load_litellm()
        bodies: list[str] = []
        given = {**self._connection(), **self._cache_marks(), **arguments}
        definitions = [tool.definition() for tool in tools] or None

        def ask() -> Any:
            return litellm.completion(
                model=self.config.model_name,
                messages=view,
                tools=definitions,
                timeout=self.config.timeout,
                num_retries=0,
                max_retries=0,
                logger_fn=lambda call: bodies.append(str(call.get("original_response") or "")),
                **given,
            )

        try:
            with charged_by_caller(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydantic warns about LiteLLM's classes
                response = bounded(self.config.timeout, ask)
                answer = response.model_dump()
        except Exception as error:
            # LiteLLM refuses answers that are only unusual, and hides the errors in others.
            body = next((body for body in bodies if body.startswith("{")), None)
            if body is not None and _refusal(error) is None:
                return read_answer(body)
            raise typed_error(error) from error
        completion = read_completion(answer)
        if completion.usage.cost is not None:  # as the provider says
            return completion
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


def _refusal(error: BaseException) -> str | None:
    """Return the body with which the provider refused, where the SDK below LiteLLM kept it."""
    cause: BaseException | None = error
    while cause is not None:
        text = getattr(getattr(cause, "response", None), "text", None)
        if isinstance(text, str) and text.strip():
            return text
        cause = cause.__cause__ or cause.__context__
    return None


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


def typed_error(error: Exception) -> ModelError:
    """Convert an error of LiteLLM by what the provider said, its HTTP status and LiteLLM's class."""
    if isinstance(error, ModelError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = _refusal(error) or safe_text(error)
    if kinds & {"Timeout", "APITimeoutError"}:
        return ModelTimeoutError(one_line(text, 500))
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) and status >= 400 else 200
    # `error.response` is one that LiteLLM makes up, without the provider's headers.
    headers = getattr(error, "litellm_response_headers", None) or {}
    known = provider_error(status, text, headers.get("retry-after"))
    if "ContextWindowExceededError" in kinds and not isinstance(known, ModelContextWindowError):
        return ModelContextWindowError(known.message)
    if kinds & {"AuthenticationError", "PermissionDeniedError"} and isinstance(
        known, ModelRequestError | ModelAnswerError
    ):
        return ModelAuthenticationError(known.message, hint="check the provider's key in the environment")
    return known
