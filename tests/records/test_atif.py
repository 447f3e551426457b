from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import Trajectory, TrajectoryMessage
from cooperbench.records.atif import to_atif

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def trajectory(*messages: dict[str, Any], **changes: Any) -> Trajectory:
    entries = tuple(TrajectoryMessage(time=NOON, message=message) for message in messages)
    fields: dict[str, Any] = {
        "agent_id": "agent1",
        "agent": "mini_swe_agent",
        "model": "m",
        "features": (4,),
        "status": "Submitted",
        "cost": 0.5,
        "messages": entries,
    }
    return Trajectory.model_validate({**fields, **changes})


def call(identifier: str, arguments: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": "bash", "arguments": arguments}}


def exported(of: Trajectory) -> dict[str, Any]:
    return to_atif(of, version="1.0", session_id="run/episode").to_json_dict()


def test_a_trajectory_becomes_a_valid_document() -> None:
    usage = {"cost": 0.25, "input_tokens": 10, "output_tokens": 2, "cached_tokens": 4}
    found = exported(
        trajectory(
            {"role": "system", "content": "Be good."},
            {"role": "user", "content": [{"type": "text", "text": "Do it."}]},
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "Hm.",
                "tool_calls": [call("a", '{"command": "ls"}'), call("b", "{broken")],
                "extra": {"usage": usage},
            },
            {"role": "tool", "tool_call_id": "a", "content": "exit code: 0"},
            {"role": "tool", "tool_call_id": "b", "content": "not JSON"},
            {"role": "tool", "tool_call_id": "zzz", "content": "belongs nowhere"},
            {"role": "user", "content": "Message from agent2: hello"},
            {"role": "assistant", "content": "Bye.", "extra": {"usage": usage}},
        )
    )
    assert found["schema_version"] == "ATIF-v1.7"
    assert [step["source"] for step in found["steps"]] == ["system", "user", "agent", "user", "agent"]
    step = found["steps"][2]
    assert [made["arguments"] for made in step["tool_calls"]] == [{"command": "ls"}, {"raw": "{broken"}]
    assert [result.get("source_call_id") for result in step["observation"]["results"]] == ["a", "b", None]
    assert step["metrics"] == {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 4, "cost_usd": 0.25}
    assert step["reasoning_content"] == "Hm."
    assert step["timestamp"].startswith("2026-01-02T12:00:00")
    assert found["final_metrics"]["total_prompt_tokens"] == 20
    assert found["final_metrics"]["total_cost_usd"] == 0.5
    assert found["trajectory_id"] == "run/episode/agent1"


def test_an_empty_trajectory_and_an_unknown_cost_are_fine() -> None:
    found = exported(trajectory(cost=None))
    assert len(found["steps"]) == 1
    assert "total_cost_usd" not in found["final_metrics"]


text = st.text(max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
calls = st.lists(
    st.one_of(anything, st.builds(call, text, st.one_of(text, st.dictionaries(text, anything, max_size=2)))), max_size=2
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer", "exit", None])},
    optional={"content": anything, "tool_calls": st.one_of(anything, calls), "tool_call_id": text, "extra": anything},
)


@pytest.mark.slow
@given(st.lists(messages, max_size=6))
def test_any_history_becomes_a_valid_document(history: list[dict[str, Any]]) -> None:
    exported(trajectory(*history))
