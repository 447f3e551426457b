"""Choose who answers a call: the provider in the caller's own dialect, or LiteLLM, which translates."""

import re

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.gateway.dialects import ModelCall
from cooperbench.gateway.events import read_json
from cooperbench.gateway.passthrough import Passthrough
from cooperbench.gateway.providers import ModelProvider
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.translation import Translation

_NO_SUCH_PATH = frozenset({404, 405, 501})
_NO_SUCH_ENDPOINT = re.compile(rb"unexpected endpoint", re.IGNORECASE)  # LM Studio, with status 200


class ProviderSource:
    """Asks a provider in the caller's dialect where it speaks that, else through a translation."""

    def __init__(self, provider: ModelProvider, settings: ModelConfig) -> None:
        self._provider = provider
        self._passthrough = Passthrough(provider, settings)
        self._translation = Translation(provider, settings, self._passthrough)
        self._not_spoken: set[str] = set()
        """Dialects that the provider turned out not to speak."""

    def ask(self, call: ModelCall) -> ProviderReply:
        """Ask once. Raises `ModelError` when nothing answers."""
        if call.dialect in self._provider.dialects:
            return self._passthrough.ask(call)
        if self._provider.may_speak_more and call.dialect not in self._not_spoken and call.dialect != "gemini":
            reply = self._passthrough.ask(call)
            if self._speaks(reply):
                return reply
            reply.close()
            self._not_spoken.add(call.dialect)
        return self._translation.ask(call)

    def _speaks(self, reply: ProviderReply) -> bool:
        """Return whether a server knows the path. Another model's name also leads to 404, which the translation finds out."""
        if reply.status in _NO_SUCH_PATH:
            return False
        if reply.status >= 400 or reply.in_events:
            return True
        body = reply.whole()
        reply.chunks = iter([body])
        return not (_NO_SUCH_ENDPOINT.search(body) and "error" in (read_json(body) or {}))
