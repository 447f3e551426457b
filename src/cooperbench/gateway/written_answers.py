"""Write an answer in the words of each dialect, whole or in events: what a provider would send. For scripts, which have no provider."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cooperbench.gateway.dialects import Json, ModelCall
from cooperbench.gateway.replies import ProviderReply


class OfferedTool(NamedTuple):
    """A tool that a request offers: its name, and the JSON schema of its arguments."""

    name: str
    schema: Json
    namespace: str = ""
    """The group that it is in, in requests of the dialect `responses`."""


class WrittenCall(NamedTuple):
    """A call of a tool."""

    id: str
    name: str
    arguments: Json
    namespace: str = ""


class WrittenAnswer(NamedTuple):
    """What the model says, and the tokens that it used; `input` includes what was read from a cache."""

    text: str
    calls: tuple[WrittenCall, ...]
    input: int = 0
    output: int = 0
    cached: int = 0


def offered_tools(call: ModelCall) -> list[OfferedTool]:
    """Return the tools that a request offers, in any dialect."""
    found: list[OfferedTool] = []
    for tool in _objects(call.body.get("tools")):
        if tool.get("type") == "namespace":
            inside = call.model_copy(update={"body": {"tools": tool.get("tools")}})
            found += [each._replace(namespace=str(tool.get("name"))) for each in offered_tools(inside)]
            continue
        for each in (tool, tool.get("function"), *_objects(tool.get("functionDeclarations"))):
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                names = ("parameters", "input_schema", "parametersJsonSchema")
                schema: Json = next((each[name] for name in names if isinstance(each.get(name), dict)), {})
                found.append(OfferedTool(each["name"], schema))
    return found


def written_reply(call: ModelCall, answer: WrittenAnswer) -> ProviderReply:
    """Return the answer as a provider of the caller's dialect sends it."""
    whole, events = _DIALECTS[call.dialect](answer, call.model)
    if not call.stream:
        return ProviderReply(200, {"content-type": "application/json"}, iter([json.dumps(whole).encode()]))
    return ProviderReply(200, {"content-type": "text/event-stream"}, map(_event, events))


def _event(event: Json | str) -> bytes:
    kind = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
    return f"{kind}data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


Written = tuple[Json, Iterator[Json | str]]


def _chat(answer: WrittenAnswer, model: str) -> Written:
    message: Json = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [
            {
                "index": place,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for place, call in enumerate(answer.calls)
        ]
    usage = {
        "prompt_tokens": answer.input,
        "completion_tokens": answer.output,
        "total_tokens": answer.input + answer.output,
        "prompt_tokens_details": {"cached_tokens": answer.cached},
    }
    reason = "tool_calls" if answer.calls else "stop"
    base: Json = {"id": "chatcmpl-script", "created": 0, "model": model}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}

    def events() -> Iterator[Json | str]:
        chunk: Json = {**base, "object": "chat.completion.chunk"}
        yield {**chunk, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}
        yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        yield {**chunk, "choices": [], "usage": usage}
        yield "[DONE]"

    return whole, events()


def _responses(answer: WrittenAnswer, model: str) -> Written:
    items: list[Json] = []
    if answer.text or not answer.calls:
        part = {"type": "output_text", "text": answer.text, "annotations": []}
        items.append(
            {"type": "message", "id": "msg_script", "role": "assistant", "status": "completed", "content": [part]}
        )
    for call in answer.calls:
        given = {"name": call.name, "arguments": json.dumps(call.arguments)}
        given |= {"namespace": call.namespace} if call.namespace else {}
        items.append(
            {"type": "function_call", "id": f"fc_{call.id}", "call_id": call.id, **given, "status": "completed"}
        )
    usage = {
        "input_tokens": answer.input,
        "input_tokens_details": {"cached_tokens": answer.cached},
        "output_tokens": answer.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input + answer.output,
    }
    head: Json = {"id": "resp_script", "object": "response", "created_at": 0, "model": model, "error": None}
    head |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    whole = {**head, "status": "completed", "output": items, "usage": usage}

    def events() -> Iterator[Json | str]:
        yield {"type": "response.created", "response": {**head, "status": "in_progress", "output": [], "usage": None}}
        for place, item in enumerate(items):
            yield {"type": "response.output_item.added", "output_index": place, "item": item}
            yield {"type": "response.output_item.done", "output_index": place, "item": item}
        yield {"type": "response.completed", "response": whole}

    return whole, events()


def _anthropic(answer: WrittenAnswer, model: str) -> Written:
    blocks: list[Json] = [{"type": "text", "text": answer.text}] if answer.text or not answer.calls else []
    blocks += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in answer.calls]
    reason = "tool_use" if answer.calls else "end_turn"
    usage = {
        "input_tokens": answer.input - answer.cached,
        "output_tokens": answer.output,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": answer.cached,
    }
    head: Json = {"id": "msg_script", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}
    whole = {**head, "content": blocks, "stop_reason": reason, "usage": usage}

    def events() -> Iterator[Json | str]:
        yield {"type": "message_start", "message": {**head, "content": [], "stop_reason": None, "usage": usage}}
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                start = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield {"type": "content_block_start", "index": index, "content_block": start}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        end = {"stop_reason": reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": answer.output}}
        yield {"type": "message_stop"}

    return whole, events()


def _gemini(answer: WrittenAnswer, model: str) -> Written:
    parts: list[Json] = [{"text": answer.text}] if answer.text or not answer.calls else []
    parts += [{"functionCall": {"id": call.id, "name": call.name, "args": call.arguments}} for call in answer.calls]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    usage = {
        "promptTokenCount": answer.input,
        "candidatesTokenCount": answer.output,
        "cachedContentTokenCount": answer.cached,
        "totalTokenCount": answer.input + answer.output,
    }
    whole: Json = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}
    return whole, iter([whole])


_DIALECTS: dict[str, Callable[[WrittenAnswer, str], Written]] = {
    "anthropic": _anthropic,
    "chat": _chat,
    "gemini": _gemini,
    "responses": _responses,
}
