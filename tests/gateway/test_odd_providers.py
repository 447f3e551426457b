"""What providers and the proxies before them send that no stand-in of a provider would: bytes as they come, and what it costs."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway.opened import gateway
from tests.gateway.standin_provider import PRICES, StandInProvider

USED = {"input_tokens": 500, "cache_read_input_tokens": 500, "output_tokens": 1}
READ = 500 * PRICES["input"] + 500 * PRICES["cached_input"]
FULL, BEGUN = ((READ + written * PRICES["output"]) / 1e6 for written in (50, 1))
"""US dollars of the whole answer, and of what was counted before it broke off."""
START = {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": USED}}
WORD = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
REST: list[dict[str, Any]] = [
    {"type": "an_event_of_tomorrow", "x": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}},
    {"type": "message_stop"},
]
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def events(*given: dict[str, Any]) -> bytes:
    return "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in given).encode()


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def stream(body: bytes, **headers: str) -> bytes:
    return reply(body, **{"Content_Type": "text/event-stream", **headers})


ANSWER = events(START, WORD, *REST)
BUSY = b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'


@contextmanager
def server(*answers: bytes | Callable[[], bytes]) -> Iterator[tuple[StandInProvider, list[float]]]:
    """Answer requests with these bytes, some made when they are due, one connection each; the last is repeated."""
    listener, left, times = socket.create_server(("127.0.0.1", 0)), list(answers), list[float]()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked = b""
                while not asked.endswith(b"<END>"):
                    asked += connection.recv(65536).replace(b'"end"}]}', b"<END>")
                times.append(time.monotonic())
                answer = left.pop(0) if len(left) > 1 else left[0]
                connection.sendall(answer if isinstance(answer, bytes) else answer())

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield StandInProvider(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", [], ("anthropic",), 0.0), times
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def ask(address: str) -> requests.Response:
    body = {"model": "m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "end"}]}
    return requests.post(f"{address}/v1/messages", json=body, timeout=60)


@pytest.mark.parametrize(
    "given",
    [
        [stream(ANSWER, Content_Type="Text/Event-Stream; charset=utf-8")],
        [stream(gzip.compress(ANSWER), Content_Encoding="x-gzip")],
        [stream(ANSWER.replace(b"\n", b"\r"))],
        [stream(b": a comment\n\n" + ANSWER)],
        [reply(BUSY, "529 Overloaded"), stream(ANSWER)],
        [reply(b"<html>busy</html>", "503 Busy", Content_Type="text/html"), stream(ANSWER)],
        [stream(events(ERROR)), stream(ANSWER)],
        [b"", stream(ANSWER)],
    ],
)
def test_an_answer_is_an_answer(given: list[bytes], tmp_path: Path) -> None:
    with server(*given) as (provider, times), gateway(provider, tmp_path) as (_, budget, address):
        answer = ask(address)
    assert answer.status_code == 200
    assert "Hello" in answer.text
    assert "an_event_of_tomorrow" in answer.text
    assert budget.usage.cost == pytest.approx(FULL)
    assert len(times) == len(given)


@pytest.mark.parametrize("rest", [b"", events(ERROR), events(WORD, ERROR)])
def test_what_breaks_off_at_once_is_charged_and_not_asked_again(rest: bytes, tmp_path: Path) -> None:
    with server(stream(events(START) + rest)) as (provider, times), gateway(provider, tmp_path) as (_, budget, address):
        answer = ask(address)
    assert answer.status_code == 200
    assert answer.text.count("event: error") >= 1
    assert len(times) == 1
    assert budget.usage.cost == pytest.approx(BEGUN)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_pause_until_a_date_in_each_form_of_http(form: str, tmp_path: Path) -> None:
    def limited() -> bytes:
        until = (datetime.now(UTC) + timedelta(seconds=2)).strftime(form)
        return reply(b"{}", "429 Too Many Requests", Retry_After=until)

    with server(limited, stream(ANSWER)) as (provider, times), gateway(provider, tmp_path) as (_, budget, address):
        assert ask(address).status_code == 200
    first, second = times
    assert second - first > 0.5
    assert budget.steps == 1


def test_a_redirection_is_followed_by_nobody(tmp_path: Path) -> None:
    moved = reply(b"", "308 Permanent Redirect", Location="https://elsewhere.example/v1")
    with server(moved) as (provider, times), gateway(provider, tmp_path) as (_, budget, address):
        answer = ask(address)
    assert answer.status_code == 400
    assert "308: it is elsewhere, https://elsewhere.example/v1" in answer.text
    assert (len(times), budget.steps) == (1, 0)
