"""Turn what a provider says when it does not answer into a typed error.

Status codes alone do not tell: llama.cpp reports a full context with 400 or 500, Gemini a wrong key with 400, gateways any failure
inside a 200. One table knows the words of the providers, and both ways to call a model use it. Its first match decides; without a match
the status does.
"""

import json
import re
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from cooperbench.agents.reading import one_line
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelRequestError,
    ModelToolsError,
)
from cooperbench.records import utc_now

LONGEST_TEXT = 4000
"""Characters of a refusal in which to look for words: some servers repeat the whole request."""
KEY_HINT = "check the API key and its permissions"
MODEL_HINT = "check the model name and the URL"
TOOLS_HINT = "choose a model that calls tools"


class Kind(NamedTuple):
    """A kind of refusal, and the words by which it is known. `wait` says whether a retry can help."""

    error: type[ModelError]
    words: str
    hint: str | None = None
    wait: bool | None = None


KINDS = (
    Kind(ModelToolsError, r"enable-auto-tool-choice|tool-call-parser", "start vLLM with --enable-auto-tool-choice --tool-call-parser NAME"),
    Kind(ModelToolsError, r"--jinja", "start llama-server with --jinja"),
    Kind(
        ModelToolsError,
        r"does not support (tools|(function|tool)[ -]call)|support tool use|tool (use|calling) (is )?not (supported|enabled)"
        r"|`?tools`? (is|are) not supported",
        TOOLS_HINT,
    ),
    Kind(
        ModelContextWindowError,
        r"context_length|context[_ -]?length|maximum context|context (size|window|limit)|exceed_context|context is too (long|large)"
        r"|(prompt|input|request|conversation)( is|'s length is)? too (long|large)|maximum number of tokens|request_too_large"
        r"|longer than the (maximum )?model|(maximum|max) (model|prompt|input) length|inputs` (tokens|must have)|max_total_tokens"
        r"|too large for model|too many (input |total )?tokens|reduce the length of|exceeds? the (token )?limit of \d+"
        r"|exceeded model token limit|input tokens exceed|request entity too large|input length .*exceed|prompt exceeds"
        r"|request too large for|tokens? count .*exceeds|model_max_prompt_tokens_exceeded",
    ),
    Kind(
        ModelRateLimitError,  # Gemini says quota and billing for limits per minute too, and when to come back
        r"(retry in|retrydelay|per ?minute|per ?second|requests per|tokens per)(?!.*per ?day)",
        wait=True,
    ),
    Kind(
        ModelRateLimitError,
        r"insufficient[_ ](quota|balance|funds|credits?)|credit balance is too low|billing|payment required|exceeded your current quota"
        r"|quota (has been )?exceeded|out of credits|requires more credits|more credits are required|usage limits?|prepaid|arrears|per ?day|spending limit",
        "check the credit of the account",
        wait=False,
    ),
    Kind(
        ModelAuthenticationError,
        r"api[_ -]?key[^.]{0,40}(not valid|invalid|missing|expired|required|not found|must be set|incorrect)"
        r"|(invalid|incorrect|missing|no|wrong|expired) (x-)?api[_ -]?key|invalid_api_key|api_key_invalid|authentication[_ ](fail|error)"
        r"|unauthorized|unauthenticated|missing credentials|no auth credentials|invalid (bearer )?token|permission[_ ]denied|user not found",
        KEY_HINT,
    ),
    Kind(
        ModelRateLimitError,
        r"rate[_ -]?limit|too many requests|resource[_ ]exhausted|capacity exceeded|throttl|concurrency limit",
        wait=True,
    ),
    Kind(
        ModelNotFoundError,
        r"model_not_found|model.{0,160}?(not found|does ?n[o']t exist|not exist\b|is not available|not supported for api)"
        r"|invalid[_ ]model|unknown model|no such model|no endpoints found|not a valid model|try pulling it|deployment .*not exist",
        MODEL_HINT,
    ),
    Kind(
        ModelOverloadedError,
        r"overloaded|server (is )?busy|loading model|model is (currently )?loading|temporarily unavailable|try again (later|in)|service unavailable"
        r"|bad gateway|gateway time-?out|upstream (connect|error|request)|provider returned error|internal (server )?error|no healthy upstream"
        r"|timed? ?out|connection (reset|refused|aborted|error)|maximum pending requests|requires more system memory|out of memory|unavailable",
    ),
)  # fmt: skip

_TELLING = ("message", "detail", "type", "error_type", "code", "status", "details", "metadata")
"""Fields of an error that say something. Others may repeat the request."""
_WINDOW = (
    r"n_ctx\D{1,5}(\d+)",
    r"model with (\d{3,}) maximum",
    r"\d+ \+ \d+ > (\d{3,})",
    r"context (?:size|length|window|limit)(?: is| of|:)?(?: only)?\D{0,12}?(\d{3,})",
    r"(?:maximum|max)[\w ]*(?:length|context)[\w ]*?(?: is| of|:)? ?\(?(\d{3,})",
    r"> ?(\d{3,}) maximum",
    r"number of tokens allowed \((\d{3,})\)",
    r"must be <= (\d{3,})",
    r"(?:less|fewer) than (\d{3,}) tokens",
    r"limit(?: of|:)? (\d{3,})",
)
_ASKED = (
    r"n_prompt_tokens\D{1,5}(\d+)",
    r"request \((\d+) tokens",
    r"too long: (\d+)",
    r"\((\d+) in (?:the|your) (?:messages|prompt)",
    r"(\d+) tokens? from the input",
    r"(?:request has|resulted in|contains|given:) (\d+)",
    r"input \((\d+) tokens",
    r"token count \((\d+)\)",
    r"prompt \(length (\d+)\)",
    r"limit: (\d+) \+",
    r"requested:? (?:about )?(\d+)",
)


def provider_error(status: int, body: str, retry_after: str | None = None) -> ModelError:
    """Return the typed error for an HTTP status and the text of the provider. A status below 400 is an error inside an answer."""
    said, status = _said(body, status)
    text = f"the provider answered {status}: {one_line(body, 400)}"
    error = _known(status, said[:LONGEST_TEXT].lower(), text) or _by_status(status, said, text)
    pause = _seconds(retry_after)
    error.retry_after = _named_pause(said) if pause is None else pause
    if isinstance(error, ModelContextWindowError):
        error.window, error.asked = _number(_WINDOW, said), _number(_ASKED, said)
    return error


def _known(status: int, said: str, text: str) -> ModelError | None:
    if said.lstrip().startswith("<") or status in {401, 402}:  # a page of a gateway, or a status that says all
        return None
    for kind in KINDS:
        if re.search(kind.words, said, re.DOTALL):
            return kind.error(text, hint=kind.hint, retryable=kind.wait)
    return None


def _by_status(status: int, said: str, text: str) -> ModelError:
    page = said.lstrip().startswith("<")
    if status == 401 or (status == 403 and not page):
        return ModelAuthenticationError(text, hint=KEY_HINT)
    if status in {402, 429}:  # waiting does not restore a quota that only the owner of the account can raise
        return ModelRateLimitError(text, retryable=status == 429)
    if status in {403, 408, 409, 425} or status >= 500:
        return ModelOverloadedError(text)
    if status == 413:
        return ModelContextWindowError(text)
    if status in {404, 405, 410}:
        return ModelNotFoundError(text, hint=MODEL_HINT)
    return ModelRequestError(text) if status >= 400 else ModelAnswerError(text)


def _said(body: str, status: int) -> tuple[str, int]:
    """Return the message inside a body, without what the server repeats of the request, and the status inside it, if any."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return body, status
    given = given[0] if isinstance(given, list) and given else given
    if not isinstance(given, dict):
        return body, status
    inner = given.get("error", given)
    fields = {**given, **inner} if isinstance(inner, dict) else {**given, "message": inner}
    code = fields.get("code")
    if status < 400 and str(code).isdecimal() and 400 <= int(str(code)) < 600:
        status = int(str(code))
    told = [_message(fields[name]) for name in _TELLING if fields.get(name) is not None]
    counts = [f"{name} {fields[name]}" for name in ("n_prompt_tokens", "n_ctx") if name in fields]
    return " ".join([*told, *counts]) or body, status


def _message(told: object) -> str:
    """Return a message as text; of the list that validators report, only what is wrong and not the input."""
    if isinstance(told, list):
        return " ".join(_message(one) for one in told)
    if isinstance(told, dict):
        return " ".join(_message(value) for name, value in told.items() if name not in {"input", "ctx", "headers"})
    return str(told)


def _number(patterns: tuple[str, ...], said: str) -> int | None:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", said).lower()
    return next((int(found[1]) for pattern in patterns if (found := re.search(pattern, plain))), None)


def _named_pause(said: str) -> float | None:
    """Return the seconds that a message names, as those of OpenAI, Groq and Gemini do."""
    found = re.search(
        r"(?:retry|try again) in (\d+(?:\.\d+)?) ?(ms|s)|retrydelay\W+(\d+(?:\.\d+)?)s", said, re.IGNORECASE
    )
    if not found:
        return None
    return float(found[1] or found[3]) / (1000 if found[2] == "ms" else 1)


def _seconds(retry_after: str | None) -> float | None:
    """Parse a `Retry-After` header: seconds, or a date."""
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        try:
            return max((parsedate_to_datetime(str(retry_after)) - utc_now()).total_seconds(), 0.0)
        except (ValueError, TypeError):
            return None
