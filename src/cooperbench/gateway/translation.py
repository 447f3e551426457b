"""Let LiteLLM translate between the dialect of a program and the one of its model's provider.

LiteLLM translates and nothing else. It does not reach the provider: what it takes for the provider is a relay of this process, which asks
the real one like any other call of that dialect. So it never has the key, retries and limits are in one place, and tokens are counted in
the provider's own words. Only a provider that LiteLLM alone knows how to reach, such as Bedrock, is called by it.
"""

import asyncio
import json
import logging
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import cache
from typing import Any

from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.litellm_answers import typed_error
from cooperbench.agents.mini_swe_agent.models.litellm_model import load_litellm
from cooperbench.errors import MissingExtraError, ModelAnswerError, ModelError, ModelRequestError
from cooperbench.gateway.dialects import Json, ModelCall, TokenCounts
from cooperbench.gateway.passthrough import Passthrough
from cooperbench.gateway.providers import ModelProvider
from cooperbench.gateway.relay import ProviderRelay, RelayedCall
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.translatable import translatable

PLACEHOLDER = "placeholder"
_END = object()


class Translation:
    """Asks a provider in another dialect than the caller's."""

    def __init__(self, provider: ModelProvider, settings: ModelConfig, passthrough: Passthrough) -> None:
        self._provider = provider
        self._settings = settings
        self._relay = ProviderRelay(passthrough)

    def ask(self, call: ModelCall) -> ProviderReply:
        """Ask once. Raises `ModelError`."""
        arguments = translatable(call)
        try:
            litellm = load_litellm()
        except MissingExtraError as error:
            raise ModelRequestError(error.message, hint=error.hint) from error
        # An OpenAI model behind another dialect would be asked for a response, and not in events.
        litellm.use_chat_completions_url_for_anthropic_messages = True
        address, relayed = self._relay.open(call.model)
        try:
            answer = self._run(_request(litellm, call, {**arguments, **self._connection(call, address)}))
        except Exception as error:
            self._relay.forget(address)
            return _refused(relayed, error)
        if not hasattr(answer, "__aiter__"):
            self._relay.forget(address)
            return _reply("application/json", iter([json.dumps(_plain(answer)).encode()]), relayed)
        parts = self._parts(answer, call, relayed)
        return _reply("text/event-stream", self._until_end(parts, address), relayed)

    def _connection(self, call: ModelCall, address: str) -> Json:
        given: Json = {"drop_params": True, "num_retries": 0, "max_retries": 0, "timeout": self._settings.timeout}
        to = self._provider.translated_to
        if to is None:  # LiteLLM finds address and key by itself
            key = {"api_key": self._provider.key} if self._provider.key else {}
            return {**given, **key, **self._settings.api_arguments(), "model": self._provider.litellm_name}
        # OpenAI's own models want other names for some settings, and some of them responses.
        others = {"chat": "hosted_vllm", "responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
        prefix = "openai" if self._provider.litellm_name.startswith("openai/") else others[to]
        if call.dialect == "responses":
            given["use_chat_completions_api"] = True
        return {**given, "model": f"{prefix}/{call.model}", "api_base": address, "api_key": PLACEHOLDER}

    @staticmethod
    def _run(work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine of LiteLLM in the thread that has its event loop."""
        with charged_by_caller(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydantic warns about LiteLLM's classes
            return asyncio.run_coroutine_threadsafe(work, _event_loop()).result()

    def _parts(self, answer: AsyncIterator[Any], call: ModelCall, relayed: RelayedCall) -> Iterator[bytes]:
        numbering = ResponseNumbering()
        while True:
            try:
                part = self._run(_next(answer))
            except Exception as error:
                raise relayed.error or typed_error(error) from error
            if part is _END:
                break
            if isinstance(part, bytes | str):
                yield part if isinstance(part, bytes) else part.encode()
            else:
                yield _event(numbering.corrected(_plain(part)) if call.dialect == "responses" else _plain(part))
        if relayed.error is not None:
            raise relayed.error
        if call.dialect == "chat":
            yield b"data: [DONE]\n\n"

    def _until_end(self, parts: Iterator[bytes], address: str) -> Iterator[bytes]:
        try:
            yield from parts
        finally:
            self._relay.forget(address)


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process for LiteLLM, whose own workers stay with the first one that they see."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="translation", daemon=True).start()
    # Each call would try to import the whole proxy server: 0.3 s until it fails, 10 s and 100 MB where it does not.
    sys.modules.setdefault("litellm.proxy.proxy_server", None)  # type: ignore[arg-type]
    logging.getLogger("LiteLLM").setLevel(
        logging.CRITICAL
    )  # it fails to log some answers, at the length of a traceback
    return loop


async def _request(litellm: Any, call: ModelCall, arguments: Json) -> Any:
    if call.dialect == "chat":
        counts = {"stream_options": {"include_usage": True}} if call.stream else {}
        return await litellm.acompletion(**arguments, **counts)
    if call.dialect == "responses":
        return await litellm.aresponses(**arguments)
    if call.dialect == "anthropic":
        return await litellm.anthropic_messages(**arguments)
    from litellm.google_genai import agenerate_content, agenerate_content_stream

    arguments["config"] = arguments.pop("generationConfig", {})
    return await (agenerate_content_stream if call.stream else agenerate_content)(**arguments)


async def _next(answer: AsyncIterator[Any]) -> Any:
    try:
        return await anext(answer)
    except StopAsyncIteration:
        return _END


class ResponseNumbering:
    """Corrects the places of a response's items: LiteLLM leaves the first for a text, which does not come before every call."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._number = 0

    def corrected(self, event: Json) -> Json:
        """Return an event with the place of its item in the output so far, and its own number."""
        number, self._number = self._number, self._number + 1
        place = event.get("output_index")
        if not isinstance(place, int):
            return {**event, "sequence_number": number}
        if event.get("type") == "response.output_item.added":
            self._places.setdefault(place, len(self._places))
        return {**event, "output_index": self._places.get(place, place), "sequence_number": number}


def _event(data: Json) -> bytes:
    name = f"event: {data['type']}\n" if data.get("type") else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def _plain(answer: Any) -> Json:
    """Return an answer of LiteLLM as JSON."""
    dump = getattr(answer, "model_dump", None)
    plain = dump(mode="json", exclude_none=True, by_alias=True) if callable(dump) else answer
    if not isinstance(plain, dict):
        raise ModelAnswerError(f"LiteLLM has translated an answer to {type(answer).__name__}")
    return plain


def _reply(kind: str, chunks: Iterator[bytes], relayed: RelayedCall) -> ProviderReply:
    def counted() -> TokenCounts | None:
        return relayed.counted() if relayed.asked else None

    return ProviderReply(200, {"content-type": kind}, chunks, translated=True, counted=counted)


def _refused(relayed: RelayedCall, error: Exception) -> ProviderReply:
    """Return the provider's own refusal. Raises `ModelError` where there is none."""
    if relayed.refused is not None:
        refused = relayed.refused
        return ProviderReply(refused.status, refused.headers, iter([relayed.body]), translated=True)
    if isinstance(error, ModelError):
        raise error
    raise relayed.error or typed_error(error) from error
