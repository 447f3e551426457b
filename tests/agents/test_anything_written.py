"""Nothing that a model can write ends an agent with an exception, through both ways to call a model."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.agents import Budget, activate_budget
from cooperbench.agents.call import plain_messages
from cooperbench.agents.journal import Journal, activate_journal
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.models import LitellmModel, make_model
from cooperbench.agents.mini_swe_agent.models.text_calls import calls_in_text
from cooperbench.agents.mini_swe_agent.provider_view import provider_view
from tests.agents.standin_llm import Answer, says, serve

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=12)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
MARKS = ["<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<function=bash>", "</function>", "<parameter=command>", "<tool_response>", '{"name": "bash", "arguments": {"command": "true"}}', '{"name": "bash", "arguments": ', "```json\n", "```", "<|python_tag|>", '<invoke name="bash">', "<think>", "\ud83d", "\0", "\x1b[2J", "data: [DONE]\n\n"]  # fmt: skip
TEXT = st.lists(st.sampled_from(MARKS) | ANY_TEXT, max_size=5).map("".join)
NAMES = st.sampled_from(["bash", " bash\n", "send_message", "edit", ""]) | ANY_TEXT | ANY_JSON
ARGUMENTS = (
    st.sampled_from(['{"command": "true"}', '{"command": null}', '{"command": "a\\u0000"}', '{"command": "echo \\ud83d", "timeout": 1e999}', '{"timeout": -1}', '{"command": ["ls"]}', "{", "[" * 3000, '"' * 7, "null"])
    | TEXT.map(lambda text: json.dumps({"command": f": {text}"}))
    | ANY_JSON
)  # fmt: skip
CALL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({}, optional={"name": NAMES, "arguments": ARGUMENTS}) | ANY_JSON},
    optional={"id": ANY_JSON, "type": ANY_JSON, "index": ANY_JSON},
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXT | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2) | ANY_JSON},
    optional={
        "tool_calls": st.lists(CALL, max_size=3) | ANY_JSON,
        "function_call": CALL | ANY_JSON,
        "reasoning_content": TEXT | ANY_JSON,
        "reasoning_details": ANY_JSON,
        "thinking_blocks": ANY_JSON,
        "provider_specific_fields": ANY_JSON,
        "refusal": TEXT | ANY_JSON,
    },
)  # fmt: skip
REASON = st.sampled_from(["stop", "length", "tool_calls", "content_filter", None, "made up", 7])


class Stub:
    """A sandbox in which commands do nothing."""

    def execute(self, action: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(action["command"], str)
        assert "\0" not in action["command"]
        action["command"].encode()
        return {"output": "done", "returncode": 0}


def play(route: str, written: list[tuple[dict[str, Any], object]], events: bool, journal: Path, **section: Any) -> None:
    """Let a model write these messages, and submit."""
    answers = [as_events(message, reason) if events else whole(message, reason) for message, reason in written]
    with serve(*answers, says("", ("submit", {}))) as server:
        given: dict[str, Any] = {"base_url": server.url, "retries": 0, "timeout": 20, **section}
        model = make_model("odd", {"model": given}) if route == "http" else LitellmModel("openai/odd", **given)
        agent = DefaultAgent(model, Stub(), unread_limit=20)
        with activate_budget(Budget()), activate_journal(Journal(journal)):
            status, _ = agent.run(task="x")
    assert status == "Submitted"
    assert len(server.requests) == len(written) + 1
    plain_messages("messages", agent.messages)
    json.dumps(provider_view(agent.messages), allow_nan=False).encode()
    for line in journal.read_bytes().splitlines():
        json.loads(line)


def whole(message: dict[str, Any], reason: object) -> Answer:
    return Answer(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}))


def as_events(message: dict[str, Any], reason: object) -> Answer:
    parts: list[dict[str, Any]] = [{"delta": {name: value}} for name, value in message.items()]
    parts.append({"delta": {}, "finish_reason": reason})
    lines = [f"data: {json.dumps({'choices': [{'index': 0, **part}]})}\n\n" for part in parts]
    return Answer("".join([*lines, "data: [DONE]\n\n"]))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")


WRITTEN = st.lists(st.tuples(MESSAGE, REASON), min_size=1, max_size=4)
once_for_all = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=once_for_all)
@given(written=WRITTEN, events=st.booleans(), form=st.sampled_from(["native", "text"]))
def test_over_http(written: list[tuple[dict[str, Any], object]], events: bool, form: str, tmp_path: Path) -> None:
    play("http", written, events, tmp_path / "journal", tool_format=form)


@pytest.mark.needs("litellm")
@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=once_for_all)
@given(written=WRITTEN, events=st.booleans())
def test_through_litellm(written: list[tuple[dict[str, Any], object]], events: bool, tmp_path: Path) -> None:
    play("litellm", written, events, tmp_path / "journal")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(MARKS) | ANY_TEXT, max_size=9).map("".join))
def test_calls_are_searched_in_any_text(text: str) -> None:
    assert all(call.name in {"bash", "submit"} for call in calls_in_text(text, {"bash", "submit"}))
