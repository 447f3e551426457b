"""What teammates write is put to the last tool result, and stays there in later requests."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.gateway.dialects import DIALECTS, ModelCall
from cooperbench.gateway.insertion import ToolResultInsertion

CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "tool_call_id": "1", "content": "a.py"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "2"}]},
    {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "b.py"}]},
]
RESPONSES: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {"type": "function_call", "call_id": "1", "name": "shell", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "1", "output": "a.py"},
    {"type": "custom_tool_call_output", "call_id": "2", "output": "b.py"},
]
ANTHROPIC: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "a.py"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "2", "content": "b.py"}]},
]
GEMINI: list[dict[str, Any]] = [
    {"role": "user", "parts": [{"text": "go"}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "shell", "response": {"output": "a.py"}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "shell", "response": {"output": "b.py"}}}]},
]
REQUESTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "anthropic": ("messages", ANTHROPIC),
    "chat": ("messages", CHAT),
    "gemini": ("contents", GEMINI),
    "responses": ("input", RESPONSES),
}


def request(dialect: str, history: list[dict[str, Any]]) -> ModelCall:
    body = {REQUESTS[dialect][0]: history}
    return ModelCall(dialect=dialect, path="/", model="m", stream=False, body=body)


@pytest.mark.parametrize("dialect", sorted(REQUESTS))
def test_a_message_stays_where_it_was_seen(dialect: str) -> None:
    field, history = REQUESTS[dialect]
    news = ["", "Message from agent2:\n> one", "", "Message from agent2:\n> two"]
    insertion = ToolResultInsertion(lambda: news.pop(0))
    shorter = history[:-1] if dialect != "chat" else history[:3]
    untouched = json.dumps(history)
    assert insertion.rewrite(request(dialect, shorter)).body[field] == shorter
    first = insertion.rewrite(request(dialect, shorter)).body[field]
    again = insertion.rewrite(request(dialect, history)).body[field]
    second = insertion.rewrite(request(dialect, history)).body[field]
    assert "> one" in json.dumps(first[-1])
    assert again[: len(shorter)] == first
    assert second[: len(shorter)] == first
    assert "> two" in json.dumps(second[-1])
    assert "> two" not in json.dumps(again)
    assert json.dumps(history) == untouched


@pytest.mark.parametrize("dialect", sorted(REQUESTS))
def test_the_dialect_still_reads_the_request(dialect: str) -> None:
    insertion = ToolResultInsertion(lambda: "Message from agent2:\n> hi")
    rewritten = insertion.rewrite(request(dialect, REQUESTS[dialect][1]))
    assert "> hi" in json.dumps(DIALECTS[dialect].messages(rewritten.body))


@pytest.mark.parametrize("dialect", sorted(REQUESTS))
def test_without_a_result_a_message_waits(dialect: str) -> None:
    news = ["Message from agent2:\n> hi"]
    insertion = ToolResultInsertion(news.pop)
    call = request(dialect, REQUESTS[dialect][1][:1])
    assert insertion.rewrite(call) == call
    assert len(news) == 1


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.text(max_size=5), st.integers()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["role", "type", "content", "parts", "functionResponse", "output", "messages", "input"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(dialect=st.sampled_from(sorted(REQUESTS)), history=JSON_VALUES)
def test_any_request_is_passed_on(dialect: str, history: Any) -> None:
    ToolResultInsertion(lambda: "news").rewrite(request(dialect, history))
