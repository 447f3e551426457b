"""The words by which a refusal is known: one table for llama.cpp, Ollama, LM Studio, vLLM, SGLang, TGI, OpenAI, Azure, Anthropic, Bedrock,
Gemini, Mistral, DeepSeek, OpenRouter, Groq and others.

A kind holds for some statuses only: a 400 that mentions a timeout is not an outage, and a 401 is a key whatever it says. Words are compared
with the message and with the fields `type`, `code` and `status` beside it, in lower case.
"""

from collections.abc import Callable
from typing import NamedTuple

from cooperbench.errors import (
    ModelAuthenticationError,
    ModelContentError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOutputError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelToolsError,
)

KEY_HINT = "check the API key and its permissions"
CREDIT_HINT = "check the credit of the account"
MODEL_HINT = "check the model name and the URL"
TOOLS_HINT = "choose a model that calls tools, or set model.tool_format to text"
WINDOW_HINT = (
    "choose a model with a larger window, or give its server more: Ollama OLLAMA_CONTEXT_LENGTH, llama-server -c, "
    "vLLM --max-model-len"
)


def _any(status: int) -> bool:
    return True


def _request(status: int) -> bool:
    """Hold for what may be about the request: not for keys, money and addresses."""
    return status not in {401, 402, 404, 405}


def _later(status: int) -> bool:
    """Hold for what may pass, and for an error inside an answer."""
    return status < 400 or status >= 500 or status in {408, 409, 424, 425, 429, 498, 499}


class Kind(NamedTuple):
    """A kind of refusal, and the words by which it is known. `wait` says whether a retry can help."""

    error: type[ModelError]
    words: str
    hint: str | None = None
    wait: bool | None = None
    statuses: Callable[[int], bool] = _any


KINDS = (
    Kind(
        ModelToolsError,
        r"enable-auto-tool-choice|tool-call-parser",
        "start vLLM with --enable-auto-tool-choice --tool-call-parser NAME, or set model.tool_format to text",
    ),
    Kind(ModelToolsError, r"--jinja", "start llama-server with --jinja, or set model.tool_format to text"),
    Kind(
        ModelToolsError,
        r"(does not|doesn't|do not|don't|cannot|can't) support (the use of )?[`'\"]?(tools?|functions?)\b(?! use in stream)"
        r"|support tool use|(tools?|functions?|(tool|function)[ _-](use|calls?|calling|choice))[`'\"]? (is|are) ?(not|n't) (supported|enabled|allowed|available)"
        r"|(does not|doesn't) support parameters: \[[^\]]*tools|not support [`'\"]?(tool|function)[ _-]?(use|call|choice)",
        TOOLS_HINT,
    ),
    Kind(
        ModelOutputError,
        r"failed to parse (input at pos|tool|function|fc |generated|output|the (tool|model|output|generated))|error parsing (the )?(tool|function)"
        r"|tool_use_failed|json_validate_failed|failed_generation|failed to call a function|tool call validation failed"
        r"|malformed[_ ](function|tool)[_ ]call|model produced invalid|invalid (tool|function) call(?! id)|tool error:|tool_error"
        r"|(could not|cannot|unable to) parse (the )?(model|tool|function|output|generated)|output parsing (error|failed)|unexpected_tool_call",
        statuses=_request,
    ),
    Kind(
        ModelContentError,
        r"content[_ -]?(filter|policy|management|moderation)|responsible ?ai|flagged|requires moderation|moderation_blocked"
        r"|(usage|safety|acceptable use) polic|safety (system|filter|reasons)|content exists risk|data_?inspection|inappropriate content"
        r"|prohibited[_ ]content|output blocked|prompt (was )?blocked|blockreason|block_?reason|recitation|invalid_prompt|sensitive (content|word)",
        statuses=lambda status: status in {400, 403, 422, 451, 500} or status < 400,
    ),
    Kind(
        ModelContextWindowError,
        r"context[_ -]?length|maximum context|context[_ -]?(size|window|limit|overflow)|exceed_context|context is too (long|large)|n_ctx|max_model_len|max_seq_len"
        r"|(prompt|input|request|conversation|message)s?( is| are|'s length is)? too (long|large)|maximum number of tokens|request_too_large"
        r"|longer than the (maximum )?model|(maximum|max) (model|prompt|input|allowed|sequence) length|inputs` (tokens|must have)|max_total_tokens"
        r"|too large for model|too many (input |total |prompt )?tokens(?!,? (please wait|per))|reduce the length of|exceeds? the (token )?limit of \d+"
        r"|exceeded model token limit|input tokens exceed|request entity too large|payload too large|input length .*exceed|prompt exceeds|(prompt|input)_too_long"
        r"|request too large for|tokens? count .*exceed|max_prompt_tokens_exceeded|string_above_max_length|string too long|range of input length"
        r"|physical batch size|context the overflows"
        r"|exceed\w* (the )?(model's )?max(imum)? (context|tokens|length|input|prompt)|prompt contains too many tokens|cannot exceed \d+ tokens",
        WINDOW_HINT,
        statuses=lambda status: _request(status) and status != 403,
    ),
    Kind(
        ModelContextWindowError,
        r"(tokens?|input|prompt|request|messages?)\b[^.]{0,60}\bexceed[^.]{0,40}(max(imum)?|allowed|limit|window|context)",
        WINDOW_HINT,
        statuses=lambda status: _request(status) and status not in {403, 429},
    ),
    Kind(
        ModelRateLimitError,  # Gemini says quota and billing for limits per minute too, and when to come back
        r"\A(?!.*(per[ _-]?(day|month|week)|daily|weekly|monthly)).*(retry in|retry after|retrydelay|per[ _-]?(minute|second|min\b)|(requests|tokens) per|/ ?min(ute)?\b)",
        wait=True,
        statuses=lambda status: _request(status) and _later(status),
    ),
    Kind(
        ModelRateLimitError,
        r"insufficient[_ ](quota|balance|funds?|credits?)|credit balance is too low|billing|payment required|exceeded your current quota|exceeded_current_quota"
        r"|quota[_ ]?(has been |is |was )?(exceeded|exhausted|used up|reached)|(out of|run out of|used (up )?all|no|exhausted)[^.]{0,30} (credits?|quota|balance)\b"
        r"|(more|not enough|purchase) credits|included credits|usage limits?|prepaid|arrear|per[ _-]?(day|month|week)|daily|monthly|weekly|spend(ing)?[_ ]limit"
        r"|余额|欠费|api calls / month|account (is |has been )?(suspended|not active|in arrears)|inactive subscription|servicequotaexceeded",
        CREDIT_HINT,
        wait=False,
        statuses=lambda status: status not in {401, 404},
    ),
    Kind(
        ModelAuthenticationError,
        r"api[_ -]?key[^.]{0,60}(not valid|invalid|missing|expired|required|not found|must be set|incorrect|disabled|revoked|not set|not provided|wrong|unknown)"
        r"|(invalid|incorrect|missing|no|wrong|expired|valid|bad|provide (an|your|a)|set (the|your|an)|unknown) ([\w-]+ )?(x-)?api[_ -]?(key|token)|invalid_api_key|api_key_invalid"
        r"|authentication[_ ]?(fail|error|required)|unauthori[sz]ed|unauthenticated|missing credentials|no auth|invalid (bearer |access |auth\w* )?token|permission[_ ]?(denied|error)"
        r"|user not found|unable to locate credentials|credentials (were|was|are|is)? ?(not|n't) (found|valid)|security token|access ?denied|accessdenied|access key|not authori[sz]ed"
        r"|unrecognizedclient|expiredtoken|signature (does|did) not match|organization (has been|is) disabled|not have access to|(?<![_a-z])forbidden|unsupported_country|location is not supported"
        r"|must be verified",
        KEY_HINT,
        statuses=lambda status: status != 404,
    ),
    Kind(
        ModelOverloadedError,  # some say so with 400 or 429
        r"overloaded|server (is )?(too )?busy|service is too busy|loading (the )?model|model is (currently |still )?(loading|not ready|warming)|modelnotready|high demand"
        r"|temporarily (unavailable|overloaded)|maximum pending requests|queue is full|model_overloaded",
        statuses=_request,
    ),
    Kind(
        ModelRateLimitError,
        r"rate[_ -]?limit|ratelimit|too many (concurrent )?(requests|tokens)|resource[_ ]?exhausted|capacity exceeded|throttl|concurren(cy|t)|slow[_ ]down|rate exceeded",
        wait=True,
        statuses=lambda status: _request(status) and status != 413,
    ),
    Kind(
        ModelNotFoundError,
        r"model_not_found|modelnotfound|model[^.]{0,160}?(not found|does ?n[o']t exist|not exist\b|is not available|not supported for api|not supported in the)"
        r"|invalid[_ ]model|model identifier is invalid|unknown model|no such model|no endpoints found|not a valid model|try pulling it|deployment .*not exist|deploymentnotfound"
        r"|model_decommissioned|model_not_supported|on-demand throughput|no models? (is |are )?loaded|failed to load model|unsupported model|not_found_error|llm provider not provided",
        MODEL_HINT,
        statuses=lambda status: status not in {401, 402, 429},
    ),
    Kind(
        ModelOverloadedError,
        r"try again (later|in)|service unavailable|bad gateway|gateway time-?out|upstream|provider returned error|internal (server )?error|server_error|no healthy"
        r"|timed? ?out|deadline[_ ]exceeded|connection (reset|refused|aborted|error|closed)|more system memory|out of memory|unavailable|runner process|api_error",
        statuses=_later,
    ),
)  # fmt: skip
