"""A stand-in for model providers: four dialects over real HTTP, plain and in events, with token counts and a bill of its own."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
PRICES = {"input": 2.0, "cached_input": 0.2, "cache_write": 2.5, "output": 10.0}
"""US dollars per million tokens."""


@dataclass(frozen=True)
class Turn:
    """What the model says once, and the tokens of it. `input` is everything that was read, `output` everything that was written."""

    text: str = "All done."
    call: tuple[str, Json] | None = None
    input: int = 1000
    cached: int = 0
    written: int = 0
    output: int = 50
    reasoning: int = 0

    @property
    def cost(self) -> float:
        fresh = self.input - self.cached - self.written
        given = fresh * PRICES["input"] + self.cached * PRICES["cached_input"] + self.written * PRICES["cache_write"]
        return (given + self.output * PRICES["output"]) / 1_000_000


@dataclass(frozen=True)
class Refusal:
    """An error instead of a turn."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """A turn whose events break off: the connection closes after so many."""

    turn: Turn
    events: int


Step = Turn | Refusal | Broken


@dataclass
class StandInProvider:
    """The running server."""

    url: str
    steps: list[Step]
    speaks: tuple[str, ...]
    pause: float
    requests: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    bill: float = 0.0

    def next_step(self) -> Step:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


@contextmanager
def serve_provider(
    *steps: Step, speaks: tuple[str, ...] = ("chat", "responses", "anthropic", "gemini"), pause: float = 0.0
) -> Iterator[StandInProvider]:
    """Run the server; when the steps are used up, the last is repeated. `pause` is in seconds, before each event but the first."""
    provider = StandInProvider("", list(steps) or [Turn()], speaks, pause)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            dialect = _dialect(self.path)
            if dialect not in provider.speaks:
                self.reply(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}, {})
                return
            with lock:
                provider.times.append(time.monotonic())
                provider.requests.append(body)
                provider.paths.append(self.path)
                provider.headers.append({name.lower(): value for name, value in self.headers.items()})
                step = provider.next_step()
                turn = step.turn if isinstance(step, Broken) else step
                provider.bill += turn.cost if isinstance(turn, Turn) else 0.0
            if isinstance(step, Refusal):
                self.reply(step.status, step.body, step.headers)
                return
            assert isinstance(turn, Turn)
            streamed = ":stream" in self.path or body.get("stream") is True
            if not streamed:
                self.reply(200, WHOLE[dialect](turn), {})
                return
            counts = dialect != "chat" or (body.get("stream_options") or {}).get("include_usage")
            self.stream(EVENTS[dialect](turn, bool(counts)), step.events if isinstance(step, Broken) else None)

        def reply(self, status: int, data: Json, headers: dict[str, str]) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def stream(self, events: list[Json | str], most: int | None) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            with suppress(OSError):
                for number, event in enumerate(events[:most]):
                    if number and provider.pause:
                        time.sleep(provider.pause)
                    if isinstance(event, dict) and "type" in event:
                        self.wfile.write(f"event: {event['type']}\n".encode())
                    text = event if isinstance(event, str) else json.dumps(event)
                    self.wfile.write(f"data: {text}\n\n".encode())
                    self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _dialect(path: str) -> str:
    plain = path.split("?")[0]
    ends = {"/chat/completions": "chat", "/responses": "responses", "/messages": "anthropic"}
    return next((name for end, name in ends.items() if plain.endswith(end)), "gemini")


def _chat(turn: Turn) -> tuple[Json, str]:
    message: Json = {"role": "assistant", "content": turn.text}
    if turn.call:
        name, arguments = turn.call
        call = {"id": "call_0", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        message = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call}]}
    return message, "tool_calls" if turn.call else "stop"


def _chat_usage(turn: Turn) -> Json:
    return {
        "prompt_tokens": turn.input,
        "completion_tokens": turn.output,
        "total_tokens": turn.input + turn.output,
        "prompt_tokens_details": {"cached_tokens": turn.cached},
        "completion_tokens_details": {"reasoning_tokens": turn.reasoning},
    }


def chat_whole(turn: Turn) -> Json:
    message, why = _chat(turn)
    choices = [{"index": 0, "message": message, "finish_reason": why}]
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "stand-in"}
    return {**base, "choices": choices, "usage": _chat_usage(turn)}


def chat_events(turn: Turn, counts: bool) -> list[Json | str]:
    message, why = _chat(turn)
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stand-in"}
    deltas = (
        [message]
        if turn.call
        else [{"role": "assistant", "content": ""}, *({"content": part} for part in _split(turn.text))]
    )
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": why}]})
    usage = [{**base, "choices": [], "usage": _chat_usage(turn)}] if counts else []
    return [*chunks, *usage, "[DONE]"]


def responses_whole(turn: Turn) -> Json:
    if turn.call:
        name, arguments = turn.call
        item: Json = {
            "type": "function_call",
            "id": "fc_0",
            "call_id": "call_0",
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
    else:
        content = [{"type": "output_text", "text": turn.text, "annotations": []}]
        item = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": content}
    usage = {
        "input_tokens": turn.input,
        "input_tokens_details": {"cached_tokens": turn.cached},
        "output_tokens": turn.output,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning},
        "total_tokens": turn.input + turn.output,
    }
    return {
        "id": "resp_0",
        "object": "response",
        "created_at": 1,
        "model": "stand-in",
        "status": "completed",
        "output": [item],
        "usage": usage,
        "error": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def responses_events(turn: Turn, counts: bool) -> list[Json | str]:
    end = responses_whole(turn)
    item = end["output"][0]
    begin = {**end, "status": "in_progress", "output": [], "usage": None}
    place = {"output_index": 0, "item_id": item["id"]}
    if turn.call:
        parts = [{"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]}]
    else:
        parts = [
            {"type": "response.output_text.delta", **place, "content_index": 0, "delta": part}
            for part in _split(turn.text)
        ]
    events = [
        {"type": "response.created", "response": begin},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *parts,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": end},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def anthropic_whole(turn: Turn) -> Json:
    block: Json = {"type": "text", "text": turn.text}
    if turn.call:
        block = {"type": "tool_use", "id": "toolu_0", "name": turn.call[0], "input": turn.call[1]}
    usage = {
        "input_tokens": turn.input - turn.cached - turn.written,
        "cache_read_input_tokens": turn.cached,
        "cache_creation_input_tokens": turn.written,
        "output_tokens": turn.output,
    }
    why = "tool_use" if turn.call else "end_turn"
    return {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": "stand-in",
        "content": [block],
        "stop_reason": why,
        "stop_sequence": None,
        "usage": usage,
    }


def anthropic_events(turn: Turn, counts: bool) -> list[Json | str]:
    whole = anthropic_whole(turn)
    block = whole["content"][0]
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    empty = {**block, "input": {}} if turn.call else {**block, "text": ""}
    if turn.call:
        deltas: list[Json] = [
            {"type": "input_json_delta", "partial_json": part} for part in _split(json.dumps(block["input"]))
        ]
    else:
        deltas = [{"type": "text_delta", "text": part} for part in _split(turn.text)]
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": turn.output},
        },
        {"type": "message_stop"},
    ]


def _gemini(parts: list[Json], turn: Turn, reason: str | None) -> Json:
    usage = {
        "promptTokenCount": turn.input,
        "cachedContentTokenCount": turn.cached,
        "candidatesTokenCount": turn.output - turn.reasoning,
        "thoughtsTokenCount": turn.reasoning,
        "totalTokenCount": turn.input + turn.output,
    }
    candidate = {
        "content": {"role": "model", "parts": parts},
        "index": 0,
        **({"finishReason": reason} if reason else {}),
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "stand-in"}


def gemini_whole(turn: Turn) -> Json:
    part = {"functionCall": {"name": turn.call[0], "args": turn.call[1]}} if turn.call else {"text": turn.text}
    return _gemini([part], turn, "STOP")


def gemini_events(turn: Turn, counts: bool) -> list[Json | str]:
    if turn.call:
        return [gemini_whole(turn)]
    *first, last = _split(turn.text)
    return [*(_gemini([{"text": part}], turn, None) for part in first), _gemini([{"text": last}], turn, "STOP")]


def _split(text: str) -> list[str]:
    """Cut a text into three parts."""
    third = max(len(text) // 3, 1)
    return [part for part in (text[:third], text[third : 2 * third], text[2 * third :]) if part]


WHOLE = {"chat": chat_whole, "responses": responses_whole, "anthropic": anthropic_whole, "gemini": gemini_whole}
EVENTS = {"chat": chat_events, "responses": responses_events, "anthropic": anthropic_events, "gemini": gemini_events}
