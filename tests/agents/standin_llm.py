"""A stand-in for a model's provider: the OpenAI chat completion protocol over real HTTP, with answers that a test lays out."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What the server sends once."""

    body: dict[str, Any] | str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    then: str = ""
    """Sent ten times a second after the body, without end."""


Reply = Answer | Callable[[dict[str, Any]], Answer]
"""An answer, or what makes one of the request."""


@dataclass
class StandIn:
    """A running server: its address, the answers still to be given, the requests so far."""

    url: str
    answers: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each request came, by the monotonic clock."""


def says(text: str | None, *calls: tuple[str, Any], tokens: tuple[int, int, int] = (1000, 100, 0)) -> Answer:
    """A chat completion with text, tool calls and token counts (input, output, cached)."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
            }
            for number, (name, given) in enumerate(calls)
        ]
    prompt, completion, cached = tokens
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "stand-in"}
    return Answer({**base, "choices": [choice], "usage": usage})


def fails(status: int, message: str, **headers: str) -> Answer:
    """An error as providers report it."""
    return Answer({"error": {"message": message, "type": "error", "code": None}}, status, headers)


@contextmanager
def serve(*answers: Reply) -> Iterator[StandIn]:
    """Run the server; when the answers are used up, the last is repeated."""
    stand_in = StandIn("", list(answers))
    lock = threading.Lock()
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                stand_in.times.append(time.monotonic())
                stand_in.requests.append(request)
                stand_in.keys.append(self.headers.get("Authorization"))
                answer = stand_in.answers.pop(0) if len(stand_in.answers) > 1 else stand_in.answers[0]
            answer = answer if isinstance(answer, Answer) else answer(request)
            data = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", "application/json")
            if not answer.then:
                self.send_header("Content-Length", str(len(data)))
            with contextlib.suppress(OSError):  # a caller that was ended does not wait for its answer
                self.end_headers()
                self.wfile.write(data)
                while answer.then and not stopping.wait(0.1):
                    self.wfile.write(answer.then.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield stand_in
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
