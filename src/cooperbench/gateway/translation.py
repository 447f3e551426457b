"""Let LiteLLM translate between the dialect of a program and the one of its model's provider.

LiteLLM translates and nothing else. It does not reach the provider: its address of the provider is a relay of this process, which asks the
real one like any other call of that dialect. So it never has the key, and tokens are counted in the provider's own words.
"""

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.errors import ModelRequestError
from cooperbench.gateway.dialects import ModelCall
from cooperbench.gateway.providers import ModelProvider
from cooperbench.gateway.replies import ProviderReply


class Translation:
    """Asks a provider in another dialect than the caller's."""

    def __init__(self, provider: ModelProvider, settings: ModelConfig) -> None:
        self._provider = provider
        self._settings = settings

    def ask(self, call: ModelCall) -> ProviderReply:
        """Ask once. Raises `ModelError`."""
        raise ModelRequestError(f"{self._provider.litellm_name} is not asked in the dialect {call.dialect}")
