"""Chat completions over HTTP with the standard library: local servers (vLLM, llama.cpp, Ollama, …) need no extra."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import Completion, ModelConfig
from cooperbench.agents.mini_swe_agent.models.exchange import LARGEST_ANSWER, Exchange, answer_within
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.models.remote import RemoteModel
from cooperbench.agents.mini_swe_agent.models.server_address import server_address
from cooperbench.agents.mini_swe_agent.tools import Tool
from cooperbench.errors import ModelOverloadedError, ModelTimeoutError, UsageError


class OpenAICompatibleModel(RemoteModel):
    """A model behind `<base_url>/chat/completions`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self._url = f"{server_address(config.base_url or '')}/chat/completions"
        self._key = _key(config.api_key_env)

    def _send(self, view: list[dict[str, Any]], tools: tuple[Tool, ...], arguments: dict[str, Any]) -> Completion:
        body: dict[str, Any] = {"model": self.config.model_name, "messages": view}
        if tools:
            body["tools"] = [tool.definition() for tool in tools]
        data = json.dumps({**body, **self._events_asked_for(), **arguments}).encode()
        return answer_within(self.config.timeout, lambda exchange: self._post(data, exchange))

    def _post(self, data: bytes, exchange: Exchange) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "cooperbench"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, data, headers, method="POST")
        try:
            with _opener(exchange).open(request, timeout=self.config.timeout) as response:
                while exchange.take(response.read1(65536)):
                    pass
        except urllib.error.HTTPError as error:
            with error:
                raise provider_error(error.code, _read(error), error.headers.get("Retry-After")) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise ModelTimeoutError(f"{self._url} does not answer: {reason}", subject=self._url) from error
            raise ModelOverloadedError(f"{self._url} does not answer: {reason}", subject=self._url) from error


def _opener(exchange: Exchange) -> urllib.request.OpenerDirector:
    """Return an opener whose connections the exchange knows, so that it can end them."""
    plain, secure = _reporting(http.client.HTTPConnection, exchange), _reporting(http.client.HTTPSConnection, exchange)

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(plain, request)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(secure, request)

    return urllib.request.build_opener(Plain, Secure)


def _reporting(kind: type[http.client.HTTPConnection], exchange: Exchange) -> Callable[..., http.client.HTTPConnection]:
    """Return a class of connections that tell the exchange of their socket."""

    class Reporting(kind):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            super().connect()
            exchange.connected(self.sock)

    return Reporting


def _key(name: str | None) -> str | None:
    """Read the key from the environment. A variable that the user named must be set."""
    if name is None:
        return os.environ.get("OPENAI_API_KEY")
    if not os.environ.get(name):
        raise UsageError(f"the environment variable {name} is not set", subject=name, hint=f"export {name}=…")
    return os.environ[name]


def _read(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(LARGEST_ANSWER).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
