"""The address that LiteLLM takes for the provider: a port of this process, open to a translation that knows its token alone.

Each request that comes is asked at the real provider in its own dialect, with the key and the run's settings, and its tokens are counted
there.
"""

import secrets
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from cooperbench.environments import Stream
from cooperbench.errors import ModelError, TransportError
from cooperbench.gateway.dialects import DIALECTS, ModelCall, TokenCounts
from cooperbench.gateway.events import EventSplitter, read_json
from cooperbench.gateway.http import HttpConnection, HttpRequest
from cooperbench.gateway.passthrough import Passthrough
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.routes import Malformed, read_call
from cooperbench.gateway.streams import loopback_listener

COUNTING = 10.0
"""Seconds for the counts of an answer that was translated to its end."""


@dataclass
class RelayedCall:
    """A call of LiteLLM on its way to the provider."""

    model: str
    refused: ProviderReply | None = None
    """The provider's error, with its body read."""
    body: bytes = b""
    error: ModelError | None = None
    """Why the provider was not reached, or broke off."""
    tokens: TokenCounts | None = None
    asked: bool = False
    """Whether it has come here: LiteLLM calls some providers by itself."""
    over: threading.Event = field(default_factory=threading.Event)

    def counted(self) -> TokenCounts | None:
        """Return what the provider counted, once its answer has come."""
        self.over.wait(COUNTING)
        return self.tokens


class ProviderRelay:
    """Listens for LiteLLM, from the first call on until the process ends."""

    def __init__(self, passthrough: Passthrough) -> None:
        self._passthrough = passthrough
        self._stack = ExitStack()
        self._address: str | None = None
        self._calls: dict[str, RelayedCall] = {}
        self._lock = threading.Lock()

    def open(self, model: str) -> tuple[str, RelayedCall]:
        """Return an address for one call to `model`, and what becomes of it."""
        with self._lock:
            if self._address is None:
                self._address = self._stack.enter_context(loopback_listener(self._handle))
            token, call = secrets.token_urlsafe(24), RelayedCall(model)
            self._calls[token] = call
        return f"{self._address}/{token}", call

    def forget(self, address: str) -> None:
        """Close the address of a call."""
        with self._lock:
            self._calls.pop(address.rpartition("/")[2], None)

    def _handle(self, stream: Stream) -> None:
        http = HttpConnection(stream)
        with closing(stream):
            try:
                for request in http.requests():
                    self._answer(http, request)
            except TransportError:
                return  # LiteLLM has seen enough

    def _answer(self, http: HttpConnection, request: HttpRequest) -> None:
        with self._lock:
            relayed = self._calls.get(request.path.split("/")[1])
        call = read_call(request)
        if relayed is None or call is None or isinstance(call, Malformed):
            http.answer(404, {"error": {"message": f"the relay does not serve {request.method} {request.path}"}})
            return
        relayed.asked = True
        relayed.over.clear()
        try:
            reply = self._passthrough.ask(call.model_copy(update={"model": relayed.model}))
            self._pass(http, call, relayed, reply)
        except ModelError as error:
            relayed.error = error
            if http.begun:
                raise TransportError("the answer broke off") from error  # which LiteLLM is to see
            http.answer(400, DIALECTS[call.dialect].error(400, "provider_failed", error.message))
        finally:
            relayed.over.set()

    def _pass(self, http: HttpConnection, call: ModelCall, relayed: RelayedCall, reply: ProviderReply) -> None:
        kind = {"content-type": reply.headers.get("content-type", "application/json")}
        reader = DIALECTS[call.dialect].reader()
        if reply.status >= 400 or not reply.in_events:
            body = reply.whole()
            if reply.status >= 400:
                relayed.refused, relayed.body = reply, body
            reader.feed(read_json(body) or {})
            relayed.tokens = reader.tokens
            http.answer(reply.status, body, kind)
            return
        splitter, gone = EventSplitter(), False
        http.start(reply.status, kind)
        for chunk in reply.chunks:
            for block in splitter.feed(chunk):
                reader.feed(block.data or {})
                relayed.tokens = reader.tokens
            if not gone:
                try:
                    http.send(chunk)
                except TransportError:
                    gone = True  # the counts come at the end
        if not gone:
            http.end()
