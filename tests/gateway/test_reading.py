"""Events cut at any byte, token counts in any form, and what of a request a translation takes."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.errors import ModelRequestError
from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.events import EventSplitter
from cooperbench.gateway.translatable import translatable
from tests.gateway.standin_provider import EVENTS, WHOLE, Turn

texts = st.text(min_size=1, max_size=40)
turns = st.builds(
    Turn,
    text=texts,
    call=st.none() | st.tuples(st.just("bash"), st.dictionaries(texts, texts, max_size=3)),
    input=st.integers(2000, 9000),
    cached=st.integers(0, 1000),
    written=st.just(0),
    output=st.integers(200, 900),
    reasoning=st.integers(0, 100),
)
ends = st.sampled_from(["\n", "\r\n", "\r"])


def as_stream(events: list[Any], end: str) -> bytes:
    lines = []
    for event in events:
        if isinstance(event, dict) and "type" in event:
            lines.append(f"event: {event['type']}")
        lines += [f"data: {event if isinstance(event, str) else json.dumps(event)}", ""]
    return "".join(line + end for line in lines).encode()


@settings(max_examples=60, deadline=None)
@given(turn=turns, dialect=st.sampled_from(list(DIALECTS)), end=ends, data=st.data())
def test_events_are_read_wherever_they_are_cut(turn: Turn, dialect: str, end: str, data: st.DataObject) -> None:
    stream = as_stream(EVENTS[dialect](turn, True), end)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    splitter, reader, passed = EventSplitter(), DIALECTS[dialect].reader(), b""
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        for block in splitter.feed(stream[start:stop]):
            passed += block.raw
            reader.feed(block.data or {})
    assert passed == stream
    assert not splitter.rest()
    assert reader.ended
    check(turn, dialect, reader)


@settings(max_examples=40, deadline=None)
@given(turn=turns, dialect=st.sampled_from(list(DIALECTS)))
def test_whole_answers_say_the_same(turn: Turn, dialect: str) -> None:
    reader = DIALECTS[dialect].reader()
    assert reader.feed(WHOLE[dialect](turn))
    check(turn, dialect, reader)


def check(turn: Turn, dialect: str, reader: Any) -> None:
    tokens, message = reader.tokens, reader.message()
    assert (tokens.input, tokens.output, tokens.cached) == (turn.input, turn.output, turn.cached)
    assert tokens.reasoning == (None if dialect == "anthropic" else turn.reasoning)
    if turn.call is None:
        assert message["content"] == turn.text
    else:
        [call] = message["tool_calls"]
        assert call["function"]["name"] == turn.call[0]
        assert json.loads(call["function"]["arguments"]) == turn.call[1]


FIELDS = st.sampled_from(
    [
        "type",
        "message",
        "usage",
        "error",
        "choices",
        "delta",
        "content",
        "parts",
        "candidates",
        "usageMetadata",
        "index",
        "item",
        "output",
        "response",
        "text",
        "tool_calls",
        "function",
        "arguments",
        "input",
        "prompt_tokens",
        "input_tokens",
        "prompt_tokens_details",
        "messages",
        "role",
        "system",
        "name",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(event=st.dictionaries(FIELDS, anything, max_size=6), dialect=st.sampled_from(list(DIALECTS)))
def test_nothing_that_a_server_or_a_program_sends_is_a_crash(event: dict[str, Any], dialect: str) -> None:
    reader = DIALECTS[dialect].reader()
    reader.feed(event)
    reader.feed(event)
    assert reader.message()["role"] == "assistant"
    assert reader.tokens.input is None or reader.tokens.input >= 0
    assert all("role" in message for message in DIALECTS[dialect].messages(event) if dialect != "chat")


def call(dialect: str, **body: Any) -> ModelCall:
    return ModelCall(dialect=dialect, path="/", model="x", stream=False, body=body)


def test_a_program_cannot_say_where_and_how_litellm_calls() -> None:
    body = {
        "messages": [],
        "api_base": "http://elsewhere",
        "api_key": "k",
        "model": "other",
        "extra_headers": {"x": "y"},
        "mock_response": "no",
        "custom_llm_provider": "openai",
        "aws_role_name": "r",
        "vertex_credentials": "/etc/passwd",
        "timeout": 1,
    }
    for dialect in DIALECTS:
        assert set(translatable(call(dialect, **body))) <= {"messages"}


@pytest.mark.parametrize(
    ("dialect", "field", "part"),
    [
        ("chat", "messages", {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}),
        ("responses", "input", {"type": "input_image", "image_url": "http://10.0.0.1/"}),
        ("responses", "input", {"type": "input_file", "file_url": "file:///etc/passwd"}),
        ("anthropic", "messages", {"type": "image", "source": {"type": "url", "url": "https://host/"}}),
        ("gemini", "contents", {"fileData": {"fileUri": "https://host/"}}),
    ],
)
def test_nothing_is_fetched_for_a_program(dialect: str, field: str, part: dict[str, Any]) -> None:
    turn = {"role": "user", "content": [{"type": "text", "text": "see"}, part], "parts": [part]}
    with pytest.raises(ModelRequestError, match="given by its address"):
        translatable(call(dialect, **{field: [turn]}))


def test_pictures_in_the_request_and_addresses_in_calls_are_translated() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    fetch = {"type": "tool_use", "id": "1", "name": "WebFetch", "input": {"type": "url", "url": "https://host/"}}
    assert translatable(call("chat", messages=[{"role": "user", "content": [picture]}]))
    assert translatable(call("anthropic", messages=[{"role": "assistant", "content": [fetch]}]))


def test_tools_of_a_provider_are_left_out() -> None:
    own = {"type": "function", "name": "bash", "parameters": {}}
    remote = {"type": "mcp", "server_url": "http://10.0.0.1/"}
    assert translatable(call("responses", input="x", tools=[own, remote]))["tools"] == [own]
    assert "tools" not in translatable(call("responses", input="x", tools=[remote], tool_choice="auto"))
