"""Turn what a provider says when it does not answer into a typed error.

Status codes alone do not tell: llama.cpp reports a full context with 400 or 500, Gemini a wrong key with 400, gateways any failure
inside a 200. So the status says which kinds are possible, and the first of them whose words are there decides; without words the status
does. Both ways to call a model use this.
"""

import json
import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from cooperbench.agents.mini_swe_agent.models.refusal_kinds import (
    CREDIT_HINT,
    KEY_HINT,
    KINDS,
    MODEL_HINT,
    WINDOW_HINT,
)
from cooperbench.agents.reading import one_line
from cooperbench.errors import (
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOutputError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelRequestError,
)
from cooperbench.records import utc_now
from cooperbench.records.secrets import scrubbed

SETTINGS_HINT = "check the section `model` of the agent's configuration"
LONGEST_TEXT = 4000
"""Characters of a refusal in which to look for words: some servers repeat the whole request."""
LONGEST_NUMBER = 10
"""Digits."""
DEEPEST = 20
"""Levels of nested JSON in which to look for words."""
_REPEATED = frozenset({"input", "ctx", "headers", "failed_generation", "flagged_input"})
"""Fields with what the model read or wrote."""
_TELLING = (
    "message",
    "detail",
    "type",
    "error_type",
    "code",
    "status",
    "details",
    "metadata",
    "param",
    "msg",
    "reason",
    "error_msg",
    "error_message",
    "error_description",
    "error_code",
    "base_resp",
    "__type",
)
"""Fields of an error that say something. Others may repeat the request."""
_WINDOW = (
    r"n_ctx\D{1,5}(\d+)",
    r"model with (\d{3,}) maximum",
    r"(?:context|input|prompt) length should be \[\d+, ?(\d{3,})\]",
    r"cannot exceed (\d{3,})",
    r"maximum of (\d{3,}) tokens",
    r"token limit:? (\d{3,})",
    r"\d+ \+ \d+ > (\d{3,})",
    r"context (?:size|length|window|limit)(?: is| of|:)?(?: only)?\D{0,12}?(\d{3,})",
    r"(?:maximum|max)[\w ]*(?:length|context)[\w ]*?(?: is| of|:)? ?\(?(\d{3,})",
    r"> ?(\d{3,}) maximum",
    r"number of tokens allowed \((\d{3,})\)",
    r"must be <= (\d{3,})",
    r"maximum allowed length \((\d{3,})",
    r"(?:less|fewer) than (\d{3,}) tokens",
    r"limit(?: of|:)? (\d{3,})",
)
_ASKED = (
    r"keep the first (\d+) tokens",
    r"n_prompt_tokens\D{1,5}(\d+)",
    r"request \((\d+) tokens",
    r"too long: (\d+)",
    r"\((\d+) in (?:the|your) (?:messages|prompt)",
    r"(\d+) tokens? from the input",
    r"(?:request has|resulted in|contains|given:) (\d+)",
    r"input \((\d+) tokens",
    r"token count \((\d+)\)",
    r"prompt \((?:total )?length (\d+)\)",
    r"input length \((\d+)",
    r"limit: (\d+) \+",
    r"received (\d+)",
    r"requested:? (?:about )?(\d+)",
)
_PAUSE = re.compile(
    r"(?:retry|try again|wait|available|resets?)(?: ?delay| ?after)?(?: in| after|_seconds)?[\s\"':=]{0,4}"
    r"(?=\d)(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,4})m(?![a-z]))?"
    r"(?:(?P<number>\d{1,6}(?:\.\d{1,9})?) ?(?P<unit>ms|milliseconds|minutes?|mins?|seconds?|secs?|s)?\b)?",
    re.IGNORECASE,
)


def provider_error(
    status: int, body: str, retry_after: str | None = None, *, heard: str = "the provider answered"
) -> ModelError:
    """Return the typed error for an HTTP status and the text of the provider. A status below 400 is an error inside an answer.

    Its message begins with `heard`.
    """
    fields, said, status = _read(body, status)
    # Some servers repeat the key that they refuse.
    shown = scrubbed(one_line(_shown(fields) or body, 400).encode())[0].decode("utf-8", "replace")
    text = f"{heard} {status}: {shown}" if status else f"{heard} {shown}"
    error = _known(status, _plain(said), text) or _by_status(status, said, text)
    pause = _seconds(retry_after)
    error.retry_after = named_pause(said) if pause is None else pause
    if isinstance(error, ModelContextWindowError):
        error.window, error.asked = _number(_WINDOW, said), _number(_ASKED, said)
    if isinstance(error, ModelOutputError):
        error.written = _written(fields, said)
    return error


def _shown(fields: dict[str, Any]) -> str:
    """Return the message of an error, if all that it says is in there."""
    message = fields.get("message")
    return message if isinstance(message, str) and not fields.get("metadata") else ""


def _plain(said: str) -> str:
    return said[:LONGEST_TEXT].lower().replace("\u2019", "'")


def _known(status: int, said: str, text: str) -> ModelError | None:
    if said.lstrip().startswith("<") or status in {401, 402, 407}:  # a page of a gateway, or a status that says all
        return None
    for kind in KINDS:
        if kind.statuses(status) and re.search(kind.words, said, re.DOTALL):
            return kind.error(text, hint=kind.hint, retryable=kind.wait)
    return None


def _by_status(status: int, said: str, text: str) -> ModelError:
    page = said.lstrip().startswith("<")
    if status in {401, 407} or (status == 403 and not page):
        return ModelAuthenticationError(text, hint=KEY_HINT)
    if status == 402:  # waiting does not restore what only the owner of the account can raise
        return ModelRateLimitError(text, hint=CREDIT_HINT, retryable=False)
    if status in {429, 498}:
        return ModelRateLimitError(text)
    if status in {403, 408, 409, 424, 425} or status >= 499:
        return ModelOverloadedError(text)
    if status == 413:
        return ModelContextWindowError(text, hint=WINDOW_HINT)
    if status in {404, 405, 410}:
        return ModelNotFoundError(text, hint=MODEL_HINT)
    return ModelRequestError(text, hint=SETTINGS_HINT) if status >= 400 else ModelAnswerError(text)


def _read(body: str, status: int) -> tuple[dict[str, Any], str, int]:
    """Return the fields of a body, its message without what the server repeats of the request, and the status inside it, if any."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return {}, body, status
    given = given[0] if isinstance(given, list) and given else given
    if not isinstance(given, dict):
        return {}, body, status
    inner = next((given[name] for name in ("error", "Error", "errors") if given.get(name)), given)
    inner = inner[0] if isinstance(inner, list) and inner else inner
    fields = {**given, **inner} if isinstance(inner, dict) else {**given, "message": inner}
    code = next(
        (str(fields[name]) for name in ("code", "status_code", "status") if str(fields.get(name)).isdecimal()), ""
    )
    if status < 400 and len(code) == 3 and 400 <= int(code) < 600:
        status = int(code)
    told = [_message(fields[name]) for name in _TELLING if fields.get(name) is not None]
    counts = [f"{name} {fields[name]}" for name in ("n_prompt_tokens", "n_ctx") if name in fields]
    return fields, " ".join([*told, *counts]) or body, status


def _message(told: object, depth: int = 0) -> str:
    """Return a message as text; of the list that validators report, only what is wrong and not the input."""
    if depth > DEEPEST:
        return ""
    if isinstance(told, list):
        return " ".join(_message(one, depth + 1) for one in told)
    if isinstance(told, dict):
        parts = (_message(value, depth + 1) for name, value in told.items() if name not in _REPEATED)
        return " ".join(parts)
    return str(told)


def _written(fields: dict[str, Any], said: str) -> str | None:
    """Return what the model wrote, where the server repeats it: Groq, Ollama, llama.cpp."""
    if isinstance(fields.get("failed_generation"), str):
        return str(fields["failed_generation"])
    found = re.search(r"raw='(.*)', err=|failed to parse input at pos \d+: (.*)", said, re.DOTALL | re.IGNORECASE)
    return (found[1] or found[2]) if found else None


def _number(patterns: tuple[str, ...], said: str) -> int | None:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", said[:LONGEST_TEXT]).lower()
    found = (re.search(pattern, plain) for pattern in patterns)
    return next((int(match[1]) for match in found if match and len(match[1]) < LONGEST_NUMBER), None)


def named_pause(said: str) -> float | None:
    """Return the seconds that a message names: `try again in 6m0s`, `retry after 22 seconds`, `"retryDelay": "34s"`."""
    found = _PAUSE.search(said[:LONGEST_TEXT])
    if found is None:
        return None
    hours, minutes, number, unit = found["hours"], found["minutes"], found["number"], (found["unit"] or "s").lower()
    size = 0.001 if unit.startswith("ms") or unit.startswith("milli") else 60.0 if unit.startswith("min") else 1.0
    return float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(number or 0) * size


def _seconds(retry_after: str | None) -> float | None:
    """Parse a `Retry-After` header: seconds, or a date."""
    try:
        seconds = float(retry_after) if retry_after else None
        return seconds if seconds is None or 0 <= seconds < math.inf else None
    except ValueError:
        try:
            date = parsedate_to_datetime(str(retry_after))
            date = date if date.tzinfo else date.replace(tzinfo=UTC)  # the older forms of HTTP name no zone
            return max((date - utc_now()).total_seconds(), 0.0)
        except (ValueError, TypeError, OverflowError):
            return None
