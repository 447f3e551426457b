"""Ask a provider that speaks the caller's dialect: the bytes of its answer are passed on as they come."""

import json
import re

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.provider_http import ProviderConnections
from cooperbench.gateway.providers import ModelProvider
from cooperbench.gateway.replies import ProviderReply

PASSED_ON = frozenset({"accept", "user-agent", "anthropic-version", "anthropic-beta", "openai-beta"})
"""Headers of a program that its provider sees. No other: the program's key is a placeholder, and some carry accounts."""
_ABOUT_COUNTS = re.compile(rb"stream_options|include_usage")


class Passthrough:
    """Asks a provider in one of its own dialects."""

    def __init__(self, provider: ModelProvider, settings: ModelConfig) -> None:
        self._provider = provider
        self._settings = settings
        self._connections = ProviderConnections(provider.base_url or "")
        self._counts = True
        """Whether the provider takes the wish for token counts among events; some refuse it."""

    def ask(self, call: ModelCall) -> ProviderReply:
        """Ask the provider once. Raises `ModelError` when it does not answer."""
        reply = self._post(call, counts=self._counts)
        if self._counts and call.dialect == "chat" and call.stream and reply.status in {400, 422}:
            body = reply.whole()
            reply.chunks = iter([body])
            if _ABOUT_COUNTS.search(body):
                self._counts = False
                return self._post(call, counts=False)
        return reply

    def _post(self, call: ModelCall, *, counts: bool) -> ProviderReply:
        dialect = DIALECTS[call.dialect]
        model = call.model or self._provider.model
        content = dialect.for_upstream(call, model, self._settings)
        if not counts:
            content.pop("stream_options", None)
        body = json.dumps(content).encode()
        passed = {name: value for name, value in call.headers.items() if name in PASSED_ON}
        headers = {"user-agent": "cooperbench", **dialect.required_headers, **passed}
        headers |= {"content-type": "application/json", "accept-encoding": "identity"}
        headers |= self._provider.headers(call.dialect)
        answer = self._connections.post(dialect.upstream_path(call, model), body, headers, self._settings.timeout)
        return ProviderReply(answer.status, answer.headers, answer.chunks(), answer.close)
