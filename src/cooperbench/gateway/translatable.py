"""The part of a request that may be translated.

LiteLLM takes the fields of a request as arguments beside its own, among them where to call, with which key, and what to import. A program
in a sandbox must set none of these. It also fetches pictures by their address, from the host's network, which a sandbox may not reach.
"""

from collections.abc import Iterator

from cooperbench.errors import ModelRequestError
from cooperbench.gateway.dialects import Json, ModelCall, dictionary
from cooperbench.gateway.dialects.base import dictionaries

FIELDS: dict[str, frozenset[str]] = {
    "chat": frozenset(
        [
            "messages",
            "tools",
            "tool_choice",
            "functions",
            "function_call",
            "temperature",
            "top_p",
            "n",
            "stop",
            "max_tokens",
            "max_completion_tokens",
            "stream",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "response_format",
            "seed",
            "parallel_tool_calls",
            "reasoning_effort",
            "user",
        ]
    ),
    "responses": frozenset(
        [
            "input",
            "instructions",
            "tools",
            "tool_choice",
            "temperature",
            "top_p",
            "max_output_tokens",
            "parallel_tool_calls",
            "reasoning",
            "text",
            "stream",
            "user",
        ]
    ),
    "anthropic": frozenset(
        [
            "messages",
            "system",
            "tools",
            "tool_choice",
            "max_tokens",
            "temperature",
            "top_p",
            "top_k",
            "stop_sequences",
            "thinking",
            "stream",
        ]
    ),
    "gemini": frozenset(["contents", "tools", "toolConfig", "generationConfig", "systemInstruction"]),
}
"""Fields of each dialect that LiteLLM translates."""
_PROGRAM_TOOLS = frozenset({"function", "custom", "None"})
"""Types of tools that the program runs. Others run at a provider, which another provider does not have."""
_ADDRESSES = frozenset({"url", "image_url", "file_url", "fileUri", "file_uri", "file_id"})
_MEDIA = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "document",
        "file",
        "input_file",
        "input_audio",
        "video_url",
        "url",
        "container",
    }
)


def translatable(call: ModelCall) -> Json:
    """Return the fields of a request that a translation takes. Raises `ModelRequestError` for pictures given by an address."""
    body = {name: value for name, value in call.body.items() if name in FIELDS[call.dialect] and value is not None}
    if isinstance(body.get("tools"), list):
        body["tools"] = list(_program_tools(call.dialect, body["tools"]))
        if not body["tools"]:
            del body["tools"]
            body.pop("tool_choice", None)
    if any(_remote(body.get(name)) for name in ("messages", "input", "contents")):
        raise ModelRequestError(
            "a picture or file given by its address cannot be translated; put its bytes into the request"
        )
    return body


def _program_tools(dialect: str, tools: list[object]) -> Iterator[Json]:
    for tool in dictionaries(tools):
        if dialect == "gemini":
            if declared := tool.get("functionDeclarations") or tool.get("function_declarations"):
                yield {"functionDeclarations": declared}
        elif str(tool.get("type")) in _PROGRAM_TOOLS:
            yield tool


def _remote(value: object) -> bool:
    """Return whether a part with a picture or a file names an address, at any depth."""
    if isinstance(value, list):
        return any(map(_remote, value))
    if not isinstance(value, dict):
        return False
    if "fileData" in value or "file_data" in value:
        return True
    if str(value.get("type")) in _MEDIA and any(map(_is_remote, _addresses(value))):
        return True
    return any(_remote(inner) for name, inner in value.items() if name not in {"input", "arguments", "args"})


def _addresses(part: Json) -> Iterator[object]:
    for name in ("source", "image_url", "file", "video_url"):
        inner = dictionary(part.get(name))
        yield from (inner[each] for each in _ADDRESSES if each in inner)
    yield from (part[each] for each in _ADDRESSES if each in part)


def _is_remote(address: object) -> bool:
    return isinstance(address, str) and not address.startswith("data:")
