"""Read what LiteLLM returns and raises.

LiteLLM translates the dialects of providers. Where a provider speaks chat completions anyway, the bytes of the answer are read here
instead: LiteLLM loses an answer that does not come in events, costs that the provider names, and calls that are only unusual.
"""

import inspect
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models.exchange import Exchange
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.reading import one_line, safe_text
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelOverloadedError,
    ModelRequestError,
    ModelTimeoutError,
)
from cooperbench.records import Usage


def read_events(litellm: Any, request: dict[str, Any], exchange: Exchange) -> None:
    """Ask for an answer in events, and read it. Raises `ModelError`."""
    with _typed_errors():
        stream = litellm.completion(**request)
        response, speaks_our_dialect = _response_of(stream)
        if response is not None:
            network = response.extensions.get("network_stream")
            exchange.connected(network.get_extra_info("socket") if network is not None else None)
        if response is not None and speaks_our_dialect:
            for data in response.iter_bytes():
                if not exchange.take(data):
                    break
            response.close()
        elif hasattr(stream, "choices"):  # not streamed after all
            exchange.take_event(stream.model_dump())
        else:
            _read_translated(stream, exchange)


def _read_translated(stream: Any, exchange: Exchange) -> None:
    """Read the events into which LiteLLM translates another dialect."""
    for chunk in stream:
        if not exchange.take_event(chunk.model_dump()):
            return
    if getattr(stream, "received_finish_reason", "") is None and not exchange.whole:
        # LiteLLM makes a reason up, and an empty answer of one that was not sent in events.
        if not exchange.started:
            raise ModelRequestError("the provider does not answer in events (stream)")
        raise ModelAnswerError("the provider's answer broke off before its end")


def read_whole(litellm: Any, request: dict[str, Any], exchange: Exchange) -> None:
    """Ask for a whole answer, and read it. Raises `ModelError`."""
    bodies: list[str] = []
    try:
        with _typed_errors():
            response = litellm.completion(
                logger_fn=lambda call: bodies.append(str(call.get("original_response") or "")), **request
            )
            answer = response.model_dump()
    except ModelError as error:
        # LiteLLM refuses answers that are only unusual, and hides the errors in others.
        body = next((body for body in bodies if body.startswith("{")), None)
        if body is None or (error.__cause__ is not None and _refusal(error.__cause__) is not None):
            raise
        exchange.take(body.encode())
        return
    cost = (getattr(response, "_hidden_params", None) or {}).get("response_cost")
    if isinstance(usage := answer.get("usage"), dict) and usage.get("cost") is None:
        usage["cost"] = cost
    exchange.take_event(answer)


def _response_of(stream: Any) -> tuple[Any, bool]:
    """Return the HTTP response behind a stream of LiteLLM, and whether it is one of chat completions; `None` where it is hidden."""
    inner: Any = getattr(stream, "completion_stream", None)
    kinds = {kind.__name__ for kind in type(inner).__mro__}
    lines = getattr(inner, "streaming_response", None)
    if "Stream" in kinds and hasattr(getattr(inner, "response", None), "iter_bytes"):  # of the OpenAI SDK
        return inner.response, True
    # A generator of the response's lines, which has not begun.
    response = inspect.getgeneratorlocals(lines).get("self") if inspect.isgenerator(lines) else None
    if not hasattr(response, "iter_bytes"):
        return None, False
    return response, "OpenAIChatCompletionStreamingHandler" in kinds


def litellm_cost(litellm: Any, model_name: str, usage: Usage, *, cache_written: int = 0) -> float | None:
    """Return the US dollars of a call by LiteLLM's prices; `None` for a model without a price.

    `cache_written` tokens of the input were written to the provider's cache.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    counted = litellm.Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details={"cached_tokens": usage.cached_tokens or 0},
        **({"cache_creation_input_tokens": cache_written} if cache_written else {}),
    )
    try:
        answer = litellm.ModelResponse(model=model_name, usage=counted)
        return float(litellm.completion_cost(completion_response=answer, model=model_name))
    except Exception:
        return None


@contextmanager
def _typed_errors() -> Iterator[None]:
    with charged_by_caller(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic warns about LiteLLM's classes
        try:
            yield
        except Exception as error:
            raise typed_error(error) from error


def _refusal(error: BaseException) -> Any:
    """Return the HTTP response with which the provider refused, where the SDK below LiteLLM kept it; else `None`."""
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        try:
            text = getattr(response, "text", None)
        except Exception:  # a streamed response that was not read
            text = None
        if isinstance(text, str) and text.strip():
            return response
        cause = cause.__cause__ or cause.__context__
    return None


def typed_error(error: Exception) -> ModelError:
    """Convert an error of LiteLLM by what the provider said, its HTTP status and LiteLLM's class."""
    if isinstance(error, ModelError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    refusal = _refusal(error)
    text = _quoted_body(safe_text(error)) if refusal is None else refusal.text
    if kinds & {"Timeout", "APITimeoutError", "TimeoutException"}:
        return ModelTimeoutError(one_line(text, 500))
    if "TransportError" in kinds:  # of httpx: the connection broke
        return ModelOverloadedError(one_line(f"the connection to the provider failed: {text}", 500))
    # LiteLLM changes the status by words in the body, and makes up a response without headers.
    told = error if refusal is None else refusal
    status = next((code for name in ("status_code", "code") if isinstance(code := getattr(told, name, None), int)), 0)
    headers = getattr(error, "litellm_response_headers", None) or getattr(refusal, "headers", None) or {}
    heard = "the provider answered" if refusal is not None or text.startswith("{") else "the provider was not reached:"
    known = provider_error(status, text, headers.get("retry-after"), heard=heard)
    if "ContextWindowExceededError" in kinds and isinstance(known, ModelRequestError | ModelAnswerError):
        return ModelContextWindowError(known.message)
    if kinds & {"AuthenticationError", "PermissionDeniedError"} and isinstance(
        known, ModelRequestError | ModelAnswerError
    ):
        return ModelAuthenticationError(known.message, hint="check the provider's key in the environment")
    return known


def _quoted_body(text: str) -> str:
    """Return the JSON that an error of LiteLLM quotes, else the whole text."""
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        return found[0] if found and isinstance(json.loads(found[0]), dict) else text
    except (ValueError, RecursionError):
        return text
