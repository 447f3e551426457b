"""The provider of a model: its address, its key, and the dialects that it speaks.

A server of the user's own (`--base-url`) speaks chat completions; vLLM, Ollama, llama.cpp and LM Studio also speak other dialects, which
is found out by asking. A provider that is not in the table is LiteLLM's.
"""

import os
from dataclasses import dataclass, field

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.known_providers import PROVIDERS, provider_name
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE
from cooperbench.agents.mini_swe_agent.models.server_address import server_address
from cooperbench.errors import UsageError
from cooperbench.gateway.dialects import DIALECTS

ADDRESSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "openai": ("https://api.openai.com/v1", ("chat", "responses")),
    "anthropic": ("https://api.anthropic.com/v1", ("anthropic",)),
    "gemini": ("https://generativelanguage.googleapis.com/v1beta", ("gemini",)),
    "openrouter": ("https://openrouter.ai/api/v1", ("chat",)),
    "groq": ("https://api.groq.com/openai/v1", ("chat",)),
    "mistral": ("https://api.mistral.ai/v1", ("chat",)),
    "deepseek": ("https://api.deepseek.com/v1", ("chat",)),
    "xai": ("https://api.x.ai/v1", ("chat",)),
    "together_ai": ("https://api.together.xyz/v1", ("chat",)),
    "fireworks_ai": ("https://api.fireworks.ai/inference/v1", ("chat",)),
    "huggingface": ("https://router.huggingface.co/v1", ("chat",)),
}
"""Base URL of each provider, and the dialects that it speaks there."""
PREFERRED = ("chat", "anthropic", "gemini", "responses")
"""Into which of a provider's dialects others are translated."""


@dataclass(frozen=True)
class ModelProvider:
    """Where a model is asked. The key is not part of its text."""

    model: str
    """The model's name at the provider."""
    litellm_name: str
    base_url: str | None
    """`None` for a provider that only LiteLLM knows how to reach."""
    dialects: tuple[str, ...]
    key: str | None = field(default=None, repr=False)
    key_variable: str = ""
    may_speak_more: bool = False
    """Whether it may speak dialects other than those."""

    def headers(self, dialect: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        if not self.key:
            return {}
        if self.key_variable == "ANTHROPIC_AUTH_TOKEN":
            return {"authorization": f"Bearer {self.key}"}
        return DIALECTS[dialect].key_headers(self.key)

    @property
    def translated_to(self) -> str | None:
        """The dialect into which others are translated; `None` if LiteLLM asks the provider in its own way."""
        return next((name for name in PREFERRED if name in self.dialects), None)


def find_provider(model_name: str, settings: ModelConfig) -> ModelProvider:
    """Return the provider of a model. Raises `UsageError` for a key that is not there, and for a model that is a script."""
    if model_name.startswith(OFFLINE):
        raise UsageError(
            f"the model {model_name} plays a script, which only the built-in agent can ask",
            subject=model_name,
            hint="name a model of a provider, or play a recording with replay:RUN",
        )
    if settings.base_url is not None:
        return _of_server(model_name, settings.base_url, settings)
    name = provider_name(model_name)
    if name is None or name not in ADDRESSES:
        key = _named_key(settings)
        return ModelProvider(model_name.partition("/")[2] or model_name, model_name, None, (), key)
    provider = PROVIDERS[name]
    variable = settings.api_key_env or next((each for each in provider.variables if os.environ.get(each)), "")
    address, dialects = ADDRESSES[name]
    elsewhere = next((os.environ[each] for each in provider.addresses if os.environ.get(each)), None)
    if elsewhere:
        given = server_address(
            elsewhere, f"set {' or '.join(provider.addresses)} to such as https://host/v1, or unset it"
        )
        address = _versioned(given) if name == "anthropic" else given
    inner = model_name.removeprefix(f"{name}/")
    key = _named_key(settings) or os.environ.get(variable)
    return ModelProvider(inner, f"{name}/{inner}", address, dialects, key, variable, elsewhere is not None)


def _of_server(model_name: str, base_url: str, settings: ModelConfig) -> ModelProvider:
    address = server_address(base_url)
    variable = settings.api_key_env or "OPENAI_API_KEY"
    key = _named_key(settings) or os.environ.get("OPENAI_API_KEY")
    dialects = ("gemini",) if address.endswith("/v1beta") else ("chat",)
    return ModelProvider(
        model_name, f"hosted_vllm/{model_name}", address, dialects, key, variable, dialects == ("chat",)
    )


def _versioned(address: str) -> str:
    """Return an address of Anthropic, which its own variable names without the version."""
    return address if address.endswith("/v1") else f"{address}/v1"


def _named_key(settings: ModelConfig) -> str | None:
    """Read the key that the user named. Its variable must be set."""
    name = settings.api_key_env
    if name is None:
        return None
    if not os.environ.get(name):
        raise UsageError(f"the environment variable {name} is not set", subject=name, hint=f"export {name}=…")
    return os.environ[name]
