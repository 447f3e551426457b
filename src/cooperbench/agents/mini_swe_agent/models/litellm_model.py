"""Models of all providers that LiteLLM knows: OpenAI, Anthropic, Gemini, vLLM, …

LiteLLM takes 4 to 8 seconds and 185 MB to import, so the first call imports it. Its own retries are off: those in `base` report
what they do.
"""

import importlib
import os
import sys
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig
from cooperbench.agents.mini_swe_agent.models.exchange import answer_within
from cooperbench.agents.mini_swe_agent.models.litellm_answers import litellm_cost, read_events, read_whole
from cooperbench.agents.mini_swe_agent.models.remote import RemoteModel
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import MissingExtraError, UsageError


class LitellmModel(RemoteModel):
    """A model called through LiteLLM. `LitellmModel(model_name="gpt-4o", temperature=0.2)` takes the fields of `ModelConfig`."""

    def __init__(self, model_name: str | None = None, *, config: ModelConfig | None = None, **fields: Any) -> None:
        if config is None:
            config = ModelConfig.model_validate({"model_name": model_name, **fields})
        super().__init__(config)

    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        litellm = load_litellm()
        request = {
            "model": self.config.model_name,
            "messages": view,
            "tools": [tool.definition() for tool in tools] or None,
            "timeout": self.config.timeout,
            "num_retries": 0,
            "max_retries": 0,
            **self._connection(),
            **self._cache_marks(),
            **self._events_asked_for(),
            **arguments,
        }
        read = read_events if self._streams else read_whole
        completion = answer_within(self.config.timeout, lambda exchange: read(litellm, request, exchange))
        if completion.usage.cost is not None:  # as the provider says
            return completion
        cost = litellm_cost(litellm, self.config.model_name, completion.usage)
        return completion.model_copy(update={"usage": completion.usage.model_copy(update={"cost": cost})})

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


def load_litellm() -> Any:
    """Import LiteLLM without letting it download prices. Raises `MissingExtraError`."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        litellm: Any = importlib.import_module("litellm")
        # The first call imports it: 1.1 s that would count as the provider's silence.
        importlib.import_module("openai.resources")
    except ModuleNotFoundError as error:
        raise MissingExtraError("calling this model", "litellm") from error
    litellm.suppress_debug_info = True
    litellm.REPEATED_STREAMING_CHUNK_LIMIT = (
        sys.maxsize
    )  # a model that repeats itself reaches its own limit, here not an outage
    return litellm
