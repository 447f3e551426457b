"""Know a provider's failure by the exception of a client library that an agent let pass.

Agents call models with LiteLLM, or with the SDK of a provider. An outage, a rate limit, a wrong key or an unknown model that ends such an
agent says nothing about it. Whatever else a provider refuses may be the agent's own request, and stays the agent's.
"""

import importlib

from cooperbench.errors import (
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelRateLimitError,
)

CLIENTS = (
    "litellm",
    "openai",
    "anthropic",
    "mistralai",
    "groq",
    "cohere",
    "together",
    "google.genai",
    "google.api_core",
)
"""Packages whose exceptions tell of a provider."""
_PREFIXES = tuple(f"{name}." for name in CLIENTS)
_PROVIDERS = (ModelRateLimitError, ModelOverloadedError, ModelAuthenticationError, ModelNotFoundError)


def failure_of_provider(error: BaseException | None) -> ModelError | None:
    """Return the failure of a provider that this exception is, or was raised from; `None` for any other."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # `raise error from error` is its own cause
        seen.add(id(error))
        if isinstance(error, Exception) and f"{type(error).__module__}.".startswith(_PREFIXES):
            return _typed(error)
        error = error.__cause__
    return None


def provider_failure(error: ModelError | None) -> ModelError | None:
    """Return a failure for which only the provider or its account can be the reason; `None` for any other."""
    return error if isinstance(error, _PROVIDERS) else None


def _typed(error: Exception) -> ModelError | None:
    # Late: the models of the built-in agent import this package.
    answers = importlib.import_module("cooperbench.agents.mini_swe_agent.models.litellm_answers")
    return provider_failure(answers.typed_error(error))
