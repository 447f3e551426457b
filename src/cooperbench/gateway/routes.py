"""What a request of a program is about: a call of a model, or something that the gateway answers by itself."""

import re
from hmac import compare_digest
from typing import NamedTuple

from cooperbench.gateway.dialects import DIALECTS, Dialect, Json, ModelCall
from cooperbench.gateway.events import read_json
from cooperbench.gateway.http import HttpRequest
from cooperbench.gateway.passthrough import PASSED_ON

CHARACTERS_PER_TOKEN = 4
"""For programs that want to know the length of a request before they send it: all that they do with it is to shorten in time."""
_MODELS = re.compile(r"/models(/(?P<name>.+))?$")
_COUNTING = re.compile(r"(/count_tokens|:countTokens|/responses/input_tokens)$")


class Malformed(NamedTuple):
    """A request that cannot be passed on, and what to answer."""

    status: int
    error: Json


def without_token(request: HttpRequest, token: str) -> HttpRequest | None:
    """Return a request without the token that its path begins with; `None` for another path."""
    first, _, rest = request.path.removeprefix("/").partition("/")
    return request._replace(path=f"/{rest}") if compare_digest(first.encode(), token.encode()) else None


def refusal_of_stranger(request: HttpRequest) -> Json:
    """Return the error for a request without its member's token, in the dialect that it seems to be in."""
    path = request.path.rstrip("/")
    dialect = next((each for each in DIALECTS.values() if each.matches(path)), _dialect_of(request))
    text = "the path does not begin with the token of this address, which belongs to one member of a run"
    return dialect.error(401, "invalid_api_key", text)


def read_call(request: HttpRequest) -> ModelCall | Malformed | None:
    """Return the call of a model that a request is; `None` for another request."""
    path = request.path.rstrip("/")
    dialect = next((each for each in DIALECTS.values() if each.matches(path)), None)
    if request.method != "POST" or dialect is None:
        return None
    body = read_json(request.body)
    if body is None:
        return Malformed(400, dialect.error(400, "invalid_json", "the body of the request is not a JSON object"))
    return ModelCall(
        dialect=dialect.name,
        path=path,
        query={name: value for name, value in request.query.items() if name != "key"},
        headers={name: value for name, value in request.headers.items() if name in PASSED_ON},
        model=dialect.asked_model(path, body),
        stream=dialect.streams(path, body),
        body=body,
    )


def answer_locally(request: HttpRequest, model: str) -> tuple[int, Json]:
    """Return status and body for a request that does not ask a model: the list of models, a count of tokens, a sign of life."""
    path = request.path.rstrip("/")
    if _COUNTING.search(path):
        tokens = len(request.body) // CHARACTERS_PER_TOKEN
        return 200, {"totalTokens": tokens} if path.endswith("countTokens") else {"input_tokens": tokens}
    if request.method in {"GET", "HEAD"} and (found := _MODELS.search(path)):
        return 200, _models(request, model, one=found["name"] is not None)
    if path == "" and request.method in {"GET", "HEAD"}:
        return 200, {}
    return 404, _dialect_of(request).error(404, "not_found", f"the gateway does not serve {request.method} {path}")


def _models(request: HttpRequest, model: str, *, one: bool) -> Json:
    if "/v1beta" in request.path:
        gemini = {
            "name": f"models/{model}",
            "displayName": model,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }
        return gemini if one else {"models": [gemini]}
    # A model of OpenAI and one of Anthropic in one object: each client reads its own fields.
    created = "2025-01-01T00:00:00Z"
    both = {
        "id": model,
        "object": "model",
        "created": 1735689600,
        "owned_by": "cooperbench",
        "type": "model",
        "display_name": model,
        "created_at": created,
    }
    return both if one else {"object": "list", "data": [both], "has_more": False, "first_id": model, "last_id": model}


def _dialect_of(request: HttpRequest) -> Dialect:
    if "anthropic-version" in request.headers:
        return DIALECTS["anthropic"]
    return DIALECTS["gemini" if "/v1beta" in request.path else "chat"]
