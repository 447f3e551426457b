"""Whatever the history holds, what is sent of it is what a strict provider accepts."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.agents.mini_swe_agent.models.answers import read_answer, read_completion
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.provider_view import provider_view
from cooperbench.agents.mini_swe_agent.tools import BASH, read_tool_calls
from cooperbench.errors import ModelError

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
TEXT = st.sampled_from(["", " \n", "Do it.", "x \ud83d y"]) | ANY_TEXT
IDS = st.sampled_from(["a", "b", "call00001", "", "with space"]) | ANY_JSON
ARGUMENTS = st.sampled_from(['{"command": "ls"}', "{broken", "", '{"x": NaN}', "[1]"]) | ANY_JSON
CALLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": IDS,
            "type": ANY_JSON,
            "function": st.fixed_dictionaries({"name": TEXT, "arguments": ARGUMENTS}) | ANY_JSON,
            "provider_specific_fields": ANY_JSON,
        },
    ),
    max_size=3,
)
CONTENT = TEXT | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=3) | ANY_JSON
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer", "function", "exit"]), "content": CONTENT},
    optional={
        "tool_calls": CALLS | ANY_JSON,
        "tool_call_id": IDS,
        "extra": ANY_JSON,
        "reasoning_content": ANY_JSON,
        "refusal": ANY_JSON,
        "name": ANY_JSON,
    },
)  # fmt: skip


def check(view: list[dict[str, Any]]) -> None:
    """What a strict server demands of the messages of a request."""
    json.dumps(view, ensure_ascii=False, allow_nan=False).encode()
    seen: set[str] = set()
    waiting: list[str] = []
    for number, message in enumerate(view):
        role, content = message["role"], message["content"]
        if role == "tool":
            assert set(message) == {"role", "content", "tool_call_id"}
            waiting.remove(message["tool_call_id"])
            assert content.strip()
            continue
        assert not waiting, "a call without its result"
        assert set(message) <= {"role", "content", "tool_calls"}
        calls = message.get("tool_calls", [])
        assert role in {"system", "user", "assistant"}
        assert role == "assistant" or "tool_calls" not in message
        assert calls or "tool_calls" not in message
        assert calls or (content if isinstance(content, list) else content.strip())
        assert content is None or isinstance(content, list) or content.strip()
        assert role != "user" or number == 0 or isinstance(content, list) or not repeated(view[number - 1])
        for call in calls:
            assert set(call) == {"id", "type", "function"}
            assert call["type"] == "function"
            assert set(call["function"]) == {"name", "arguments"}
            assert call["function"]["name"]
            assert isinstance(json.loads(call["function"]["arguments"], parse_constant=refuse), dict)
            assert call["id"] not in seen
            seen.add(call["id"])
            waiting.append(call["id"])
    assert not waiting


def repeated(before: dict[str, Any]) -> bool:
    return before["role"] == "user" and isinstance(before["content"], str)


def refuse(constant: str) -> None:
    raise ValueError(constant)


@settings(max_examples=50, deadline=None)
@given(st.lists(MESSAGES, max_size=8))
def test_any_history_gives_a_view_that_a_strict_provider_accepts(messages: list[dict[str, Any]]) -> None:
    before = repr(messages)
    check(provider_view(messages))
    json.dumps(provider_view(messages, reasoning=True), ensure_ascii=False, allow_nan=False).encode()
    assert repr(messages) == before, "the record is not touched"


@settings(max_examples=50, deadline=None)
@given(st.lists(MESSAGES, max_size=8))
def test_the_view_of_a_view_is_the_view(messages: list[dict[str, Any]]) -> None:
    view = provider_view(messages)
    assert provider_view(view) == view


@settings(max_examples=50, deadline=None)
@given(st.fixed_dictionaries({}, optional={"role": ANY_JSON, "content": CONTENT, "tool_calls": CALLS | ANY_JSON,
                                           "function_call": ANY_JSON, "reasoning_details": ANY_JSON, "refusal": ANY_JSON}),
       ANY_JSON)  # fmt: skip
def test_any_answer_is_read_or_a_typed_error(message: dict[str, Any], usage: object) -> None:
    try:
        answer = read_completion({"choices": [{"message": message, "finish_reason": usage}], "usage": usage}).message
    except ModelError:
        return
    results = [{"role": "tool", "tool_call_id": call.id, "content": "x"} for call in read_tool_calls(answer, (BASH,))]
    check(provider_view([answer, *results]))


@settings(max_examples=50, deadline=None)
@given(ANY_JSON | st.lists(ANY_JSON), st.sampled_from(["", "data: ", "<", '{"choices": [']))
def test_any_body_is_an_answer_or_a_typed_error(value: object, before: str) -> None:
    try:
        read_answer(before + json.dumps(value))
    except ModelError:
        return


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 999),
    ANY_TEXT | ANY_JSON.map(json.dumps) | st.fixed_dictionaries({"error": ANY_JSON}).map(json.dumps),
    st.none() | ANY_TEXT | st.sampled_from(["-1", "inf", "nan", "1e400", "Wed, 21 Oct 2015 07:28:00 GMT"]),
)
def test_any_refusal_is_a_typed_error(status: int, body: str, retry_after: str | None) -> None:
    error = provider_error(status, body, retry_after)
    str(error).encode()
    assert error.retry_after is None or 0 <= error.retry_after < float("inf")


def test_results_follow_their_calls_under_the_same_new_ids() -> None:
    call = {"id": "same", "function": {"name": "bash", "arguments": "{}"}}
    first, second = ({"role": "tool", "tool_call_id": "same", "content": text} for text in ("one", "two"))
    later: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {**first, "content": "three"},
    ]
    turn: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [call, call]}
    view = provider_view([turn, first, second, *later])
    assert [message.get("content") for message in view] == [None, "one", "two", None, "three"]
    check(view)


def test_nesting_without_end_is_cut() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    check(provider_view([{"role": "user", "content": deep}, {"role": "assistant", "content": "y", "tool_calls": [{"function": {"name": "bash", "arguments": {"a": deep}}}]}]))  # fmt: skip
