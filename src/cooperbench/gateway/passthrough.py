"""Ask a provider that speaks the caller's dialect: the bytes of its answer are passed on as they come."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import requests
import urllib3

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.reading import one_line
from cooperbench.errors import ModelAnswerError, ModelError, ModelOverloadedError, ModelTimeoutError
from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.providers import ModelProvider
from cooperbench.gateway.replies import ProviderReply

PASSED_ON = frozenset({"accept", "user-agent", "anthropic-version", "anthropic-beta", "openai-beta"})
"""Headers of a program that its provider sees. No other: the program's key is a placeholder, and some carry accounts."""
CONNECTING = 30.0
"""Seconds to connect."""
FINISHING = 0.2
"""Seconds for the end of an answer of which all has been read that matters."""
_CHUNK = 1 << 16
_ABOUT_COUNTS = re.compile(rb"stream_options|include_usage")


class Passthrough:
    """Asks a provider in one of its own dialects."""

    def __init__(self, provider: ModelProvider, settings: ModelConfig) -> None:
        self._provider = provider
        self._settings = settings
        self._local = threading.local()
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
        address = f"{self._provider.base_url}{dialect.upstream_path(call, model)}"
        passed = {name: value for name, value in call.headers.items() if name in PASSED_ON}
        headers = {**dialect.required_headers, **passed}
        headers |= {"content-type": "application/json", "accept-encoding": "identity"}
        headers |= self._provider.headers(call.dialect)
        try:
            answer = self._session().post(
                address,
                data=body,
                headers=headers,
                stream=True,
                timeout=(CONNECTING, self._settings.timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _unreachable(error, address) from error
        given = {name.lower(): value for name, value in answer.headers.items()}
        return ProviderReply(answer.status_code, given, _body(answer, address), partial(_finish, answer))

    def _session(self) -> requests.Session:
        """Return the session of this thread, which keeps its connection open."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.auth = lambda request: request  # a .netrc must not replace the key
            self._local.session = session
        return session


def _body(answer: requests.Response, address: str) -> Iterator[bytes]:
    """Yield the body as it comes. Raises `ModelError` when it breaks off."""
    raw: urllib3.HTTPResponse = answer.raw
    try:
        while data := raw.read1(_CHUNK, decode_content=True):
            yield data
    except (OSError, urllib3.exceptions.HTTPError) as error:
        if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
            raise ModelTimeoutError(f"{address} has stopped answering", subject=address) from error
        raise ModelAnswerError(f"the provider's answer broke off: {one_line(str(error))}", subject=address) from error


def _finish(answer: requests.Response) -> None:
    """Read the little that may be left behind an answer, so that its connection can be used again, or close that."""
    connection = getattr(answer.raw, "connection", None)
    plug: socket.socket | None = getattr(connection, "sock", None)
    if plug is not None:
        plug.settimeout(FINISHING)
        with suppress(OSError, urllib3.exceptions.HTTPError):
            answer.raw.read1(_CHUNK)
    answer.close()


def _unreachable(error: requests.RequestException, address: str) -> ModelError:
    if isinstance(error, requests.Timeout):
        return ModelTimeoutError(f"{address} does not answer", subject=address)
    return ModelOverloadedError(f"{address} does not answer: {one_line(str(error))}", subject=address)
