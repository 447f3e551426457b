import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents import Budget, activate_budget
from cooperbench.agents.mini_swe_agent.models import (
    LitellmModel,
    OpenAICompatibleModel,
    ScriptedModel,
    ToolCallingModel,
    make_model,
)
from cooperbench.agents.mini_swe_agent.models.litellm_model import load_litellm
from cooperbench.agents.mini_swe_agent.models.refusals import provider_error
from cooperbench.agents.mini_swe_agent.tools import BASH, SUBMIT
from cooperbench.errors import (
    LimitReachedError,
    ModelAnswerError,
    ModelAuthenticationError,
    ModelContextWindowError,
    ModelError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelRateLimitError,
    ModelRequestError,
    ModelTimeoutError,
    UsageError,
)
from cooperbench.records import Limits, Trajectory, TrajectoryMessage, Usage, utc_now, write_model
from cooperbench.records.ledger import RunLedger
from cooperbench.records.member_files import MemberFolder, read_progress
from cooperbench.records.model_wait import ModelWait
from tests.agents.standin_llm import Answer, fails, says, serve

TASK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be good."},
    {"role": "user", "content": "Do it.", "extra": {"secret": "ours"}},
]
PRICES = "priced-model: {input: 2.0, output: 10.0, cached_input: 0.5}\n"


def over_http(kind: str, url: str, **section: Any) -> ToolCallingModel:
    """The same server reached with the standard library, and through LiteLLM."""
    settings = {"base_url": url, "retry_wait": 0.001, "retries": 3, **section}
    if kind == "http":
        return make_model("priced-model", {"model": settings})
    return LitellmModel(model_name="openai/priced-model", **settings)


LITELLM = [pytest.mark.needs("litellm"), pytest.mark.slow, pytest.mark.xdist_group("litellm")]
"""It takes 4 to 8 seconds to import, so one process runs all tests that do."""

both = pytest.mark.parametrize("kind", ["http", pytest.param("litellm", marks=LITELLM)])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")


@both
def test_a_call_is_answered_counted_and_priced(kind: str, tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(PRICES)
    with serve(says("I look.", ("bash", {"command": "ls"}), tokens=(1000, 100, 600))) as server:
        model = over_http(kind, server.url, price_table=str(table), temperature=0.2, max_tokens=50)
        message = model.query(TASK, tools=(BASH, SUBMIT))
        model.query([*TASK, message])
    assert message["content"] == "I look."
    assert message["extra"]["actions"] == [{"command": "ls", "tool_call_id": "call_0"}]
    assert message["extra"]["usage"]["cached_tokens"] == 600
    cost = (400 * 2.0 + 600 * 0.5 + 100 * 10.0) / 1e6
    assert model.cost == pytest.approx(2 * cost)
    assert model.n_calls == 2
    first, second = server.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["bash", "submit"]
    assert (first["temperature"], first["max_tokens"]) == (0.2, 50)
    assert "ours" not in str(server.requests), "what lies under `extra` never leaves this process"
    assert second["messages"][2]["tool_calls"][0]["function"]["name"] == "bash"
    assert server.keys[0] == "Bearer key-of-the-test"


@both
@pytest.mark.parametrize("answer", [fails(429, "slow down"), fails(503, "overloaded"), fails(529, "overloaded")])
def test_failures_that_pass_are_tried_again(kind: str, answer: Answer) -> None:
    with serve(answer, answer, says("Here.")) as server:
        model = over_http(kind, server.url)
        assert model.query(TASK)["content"] == "Here."
    assert len(server.requests) == 3
    assert model.n_calls == 1


def test_whoever_watches_sees_that_the_model_fails(tmp_path: Path) -> None:
    folder = MemberFolder(tmp_path)
    seen: list[ModelWait | None] = []

    def refuse(request: dict[str, Any]) -> Answer:
        progress = read_progress(folder.progress)
        seen.append(progress.waiting if progress else None)
        return fails(429, "slow down", Retry_After="3")

    with serve(refuse) as server, activate_budget(Budget(progress=folder.progress, waits=folder.waits)):
        model = over_http("http", server.url, retries=1, retry_wait_limit=0.4)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(model.query, TASK)
            while not asked.done():
                progress = read_progress(folder.progress)
                if progress is not None and progress.waiting is not None:
                    seen.append(progress.waiting)
                time.sleep(0.02)
        with pytest.raises(ModelRateLimitError):
            asked.result()
    [wait] = folder.read_waits()
    assert (seen[0], seen[-1]) == (None, None), "while the model is asked nobody waits for an attempt"
    assert wait in seen
    assert (wait.kind, wait.attempt, wait.attempts) == ("ModelRateLimitError", 2, 2)
    assert "429" in wait.reason
    assert "slow down" in wait.reason
    assert wait.seconds == pytest.approx(0.4, abs=0.01)


@both
@pytest.mark.parametrize(
    ("answer", "error", "calls"),
    [
        (fails(429, "slow down"), ModelRateLimitError, 3),
        (fails(500, "internal"), ModelOverloadedError, 3),
        (fails(429, "You exceeded your current quota: insufficient_quota"), ModelRateLimitError, 1),
        (fails(401, "wrong key"), ModelAuthenticationError, 1),
        (fails(400, "This model's maximum context length is 8192 tokens"), ModelContextWindowError, 1),
        (fails(400, "tools: invalid schema"), ModelRequestError, 1),
        (fails(404, "no such model"), ModelNotFoundError, 1),
        (Answer({"choices": []}), ModelAnswerError, 3),
    ],
)
def test_failures_are_typed_and_retries_end(kind: str, answer: Answer, error: type[ModelError], calls: int) -> None:
    with serve(answer) as server:
        model = over_http(kind, server.url, retries=2)
        with pytest.raises(error):
            model.query(TASK)
    assert len(server.requests) == calls
    assert (model.n_calls, model.cost) == (0, 0.0)


def pending_calls() -> list[threading.Thread]:
    """Return the threads that still wait for an answer."""
    return [thread for thread in threading.enumerate() if thread.name == "model call"]


@both
@pytest.mark.parametrize("last", ["data: [DONE]\n\n", ""])
def test_an_answer_is_over_when_it_says_so_not_when_the_connection_is(kind: str, last: str) -> None:
    load_litellm() if kind == "litellm" else None
    end = 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    with serve(Answer(f"{WORD}{end}{last}", then=": still here\n\n")) as server:
        message = over_http(kind, server.url, timeout=60 if last else 3).query(TASK)
        assert not pending_calls()
    assert (message["content"], message["extra"]["finish_reason"]) == ("on and ", "stop")
    assert len(server.requests) == 1


@both
def test_tokens_and_cost_come_at_the_end_of_the_events(kind: str) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25}
    end = [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]
    with serve(Answer(WORD + "".join(f"data: {json.dumps(event)}\n\n" for event in end))) as server:
        model = over_http(kind, server.url)
        message = model.query(TASK)
    assert message["content"] == "on and "
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert (model.cost, model.usage.input_tokens, model.usage.output_tokens) == (0.25, 10, 5)


WORD = 'data: {"choices": [{"delta": {"content": "on and "}}]}\n\n'


@both
def test_a_model_that_talks_without_end_is_cut_and_read(kind: str, tmp_path: Path) -> None:
    load_litellm() if kind == "litellm" else None
    with (
        serve(Answer(WORD * 300, then=WORD)) as server,
        activate_budget(Budget(progress=tmp_path / "progress.json")) as budget,
    ):
        message = over_http(kind, server.url, timeout=3.0).query(TASK)
        assert not pending_calls()
    assert message["content"].startswith("on and on and ")
    assert message["extra"]["finish_reason"] == "length"
    assert (budget.steps, len(server.requests)) == (1, 1)
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["max_tokens"] > 0


def test_parts_of_an_answer_are_noted_while_they_come(tmp_path: Path) -> None:
    progress = tmp_path / "progress.json"
    heard: list[bool] = []

    def look(request: dict[str, Any]) -> Answer:
        seen = read_progress(progress)
        heard.append(seen is not None and seen.asked_at is not None and seen.heard_at is None)
        return Answer(WORD, then=WORD)

    with serve(look) as server, activate_budget(Budget(progress=progress)) as budget:
        model = over_http("http", server.url, timeout=3.0)
        thread = threading.Thread(target=model.query, args=(TASK,))
        thread.start()
        while thread.is_alive() and not heard[1:]:
            seen = read_progress(progress)
            if seen is not None and seen.heard_at is not None:
                heard.append(True)
            thread.join(0.05)
        thread.join()
    assert heard == [True, True]
    assert budget.steps == 1


@pytest.mark.slow
@both
@pytest.mark.parametrize("answer", [Answer("", then=" "), Answer(" ", then="\n")])
def test_the_time_for_an_answer_is_that_of_the_whole_answer(kind: str, answer: Answer) -> None:
    load_litellm() if kind == "litellm" else None
    with serve(answer) as server, pytest.raises(ModelTimeoutError):
        over_http(kind, server.url, timeout=1.0).query(TASK)
    assert not pending_calls()
    assert len(server.requests) == 2, "a call that took all of its time is repeated once, not three times"


@both
def test_what_a_provider_refuses_is_left_out_from_then_on(kind: str) -> None:
    def strict(request: dict[str, Any]) -> Answer:
        known = {"role", "content", "tool_calls", "tool_call_id"}
        if "max_tokens" in request:
            return fails(400, "Unsupported parameter: 'max_tokens' is not supported with this model.")
        if "stream_options" in request:
            return fails(422, "stream_options: extra inputs are not permitted")
        if "stream" in request:
            return fails(422, "stream: extra inputs are not permitted")
        if any(set(message) - known for message in request["messages"]):
            return fails(422, "messages.2: extra inputs are not permitted")
        return says("Here.", ("bash", {"command": "ls"}))

    with serve(strict) as server:
        model = over_http(kind, server.url)
        thinking = {**model.query(TASK), "reasoning_content": "hm"}
        result = {"role": "tool", "tool_call_id": "call_0", "content": "x"}
        model.query([*TASK, thinking, result])
        refusals = len(server.requests) - 2
        model.query([*TASK, thinking, result])
    assert len(server.requests) == 3 + refusals
    assert refusals == 4
    assert "reasoning_content" in str(server.requests[-3]["messages"]), "some providers require it"


def test_a_server_that_is_not_there_is_overload() -> None:
    with serve(says("x")) as server:
        url = server.url
    with pytest.raises(ModelOverloadedError, match="does not answer"):
        over_http("http", url, retries=1).query(TASK)


def test_an_answer_that_is_not_json_is_said() -> None:
    with serve(Answer("<html>it works</html>")) as server, pytest.raises(ModelAnswerError, match="JSON"):
        over_http("http", server.url).query(TASK)


@both
@pytest.mark.parametrize(("asked", "cap", "least"), [("0.6", 60.0, 0.6), ("600", 0.4, 0.4)])
def test_a_retry_waits_as_long_as_the_provider_asks_and_at_most_the_cap(
    kind: str, asked: str, cap: float, least: float
) -> None:
    with serve(fails(429, "wait", Retry_After=asked), says("Here.")) as server:
        assert over_http(kind, server.url, retry_wait_limit=cap).query(TASK)["content"] == "Here."
    refused, answered = server.times
    assert least <= answered - refused < 600


def test_the_provider_may_ask_for_a_pause_until_a_date() -> None:
    soon = format_datetime(utc_now() + timedelta(seconds=30), usegmt=True)
    assert provider_error(429, "", soon).retry_after == pytest.approx(30, abs=5)
    assert provider_error(429, "", "Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0.0
    assert provider_error(429, "", "in a while").retry_after is None


@both
def test_an_unknown_price_is_none_and_said_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    name = f"unheard-of-{kind}"
    with serve(says("x")) as server, caplog.at_level(logging.WARNING):
        settings: dict[str, Any] = {"base_url": server.url, "retries": 0}
        model = make_model(name, {"model": settings}) if kind == "http" else LitellmModel(f"openai/{name}", **settings)
        model.query(TASK)
        model.query(TASK)
    assert model.cost is None
    assert model.usage.input_tokens == 2000
    assert sum(name in record.getMessage() and "price" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_litellm_knows_the_price_of_known_models() -> None:
    litellm = load_litellm()
    with serve(says("x", tokens=(1000, 100, 0))) as server:
        model = LitellmModel(model_name="gpt-4o", base_url=server.url, retries=0)
        model.query(TASK)
    price = litellm.model_cost["gpt-4o"]
    assert model.cost == pytest.approx(1000 * price["input_cost_per_token"] + 100 * price["output_cost_per_token"])


def test_calls_are_charged_to_the_budget_in_force() -> None:
    turns = [{"text": "x", "usage": {"input_tokens": 10, "output_tokens": 5}, "cost": 0.25}] * 5
    model = ScriptedModel(turns)
    with activate_budget(Budget(Limits(steps=2))) as budget:
        model.query(TASK)
        model.query(TASK)
        with pytest.raises(LimitReachedError):
            model.query(TASK)
    assert budget.usage == Usage(cost=0.5, input_tokens=20, output_tokens=10, cached_tokens=0)


def test_a_key_that_is_asked_for_by_name_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "another")
    with serve(says("x")) as server:
        over_http("http", server.url, api_key_env="OTHER_KEY").query(TASK)
        assert server.keys == ["Bearer another"]
        with pytest.raises(UsageError, match="NOT_SET_ANYWHERE"):
            over_http("http", server.url, api_key_env="NOT_SET_ANYWHERE")


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"temprature": 0.2}, "temprature"),
        ({"temperature": "hot"}, "temperature"),
        (["temperature"], "mapping"),
        ({"price_table": "/nowhere/prices.yaml"}, "cannot read the price table"),
        ({"base_url": "localhost:8000"}, "not the URL"),
    ],
)
def test_a_wrong_configuration_is_an_error_before_any_call(section: Any, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make_model("some-model", {"model": section})


@pytest.mark.parametrize("text", ["x: {input: -1, output: 1}", "x: 5", "[1, 2]", "x: {input: 1}", "{"])
def test_a_wrong_price_table_is_an_error(text: str, tmp_path: Path) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text(text)
    with pytest.raises(UsageError, match="price table"):
        make_model("some-model", {"model": {"price_table": str(table)}})


SCRIPT = """
description: two members
repo: some_task
task_id: 1
features: [1, 2]
setting: coop
members:
  agent1:
    - {error: 429}
    - {text: Looking., tool_calls: [{name: bash, arguments: {command: ls}}], usage: {input_tokens: 5, output_tokens: 2}, cost: 0.5}
    - {wait_for_message: {from: agent2, timeout: 20}}
    - {wait_for_message: {from: agent2, timeout: 20}}
    - {tool_calls: [{name: bash, arguments: "{not json"}]}
    - {tool_calls: [{name: submit}], cost: null}
  agent2:
    - {text: nothing to do, tool_calls: [{name: submit}]}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "team.yaml"
    path.write_text(SCRIPT)
    return path


def test_a_script_plays_its_member(script: Path) -> None:
    model = make_model(f"scripted/{script}", agent_id="agent1")
    first = model.query(TASK)
    assert first["content"] == "Looking."
    assert first["extra"]["actions"][0]["command"] == "ls"
    assert (model.n_calls, model.cost) == (1, 0.5)

    heard = [*TASK, {"role": "user", "content": "Message", "extra": {"senders": ["agent2"]}}]
    waits = [model.query(heard)["tool_calls"][0]["function"]["arguments"] for _ in range(2)]
    assert waits == ['{"from": "agent2", "timeout": 0.0}', '{"from": "agent2", "timeout": 20.0}']
    assert model.query(TASK)["tool_calls"][0]["function"]["arguments"] == "{not json"
    model.query(TASK)
    assert (model.n_calls, model.usage.cost) == (5, None)
    with pytest.raises(ModelRequestError, match="no turn after number 6"):
        model.query(TASK)

    assert make_model(f"scripted/{script}#agent2", agent_id="agent1").query(TASK)["content"] == "nothing to do"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("members: {agent1: [{text: x, error: 429}]}", "members.agent1.0"),
        ("members: {agent1: [{txt: x}]}", "members.agent1.0"),
        ("members: {}", "members"),
        ("- x", "the file"),
        ("{", "YAML"),
    ],
)
def test_a_wrong_script_is_an_error_with_its_place(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=fault):
        make_model(f"scripted/{path}", agent_id="agent1")


def test_a_bundled_story_has_a_name() -> None:
    assert make_model("scripted/solo_passes", agent_id="solo").query(TASK)["tool_calls"]


def test_a_member_that_is_not_in_the_script_is_named(script: Path) -> None:
    with pytest.raises(UsageError, match="agent3"):
        make_model(f"scripted/{script}#agent3")
    with pytest.raises(UsageError, match="cannot read the script"):
        make_model(f"scripted/{script}.missing")


def test_a_recorded_trajectory_can_be_played_again(tmp_path: Path) -> None:
    original = ScriptedModel(
        [
            {"text": "one", "tool_calls": [{"name": "bash", "arguments": {"command": "ls"}}], "cost": 0.5},
            {"text": "two", "usage": {"input_tokens": 3, "output_tokens": 4, "cached_tokens": 1}, "cost": None},
        ]
    )
    said = [original.query(TASK), original.query(TASK)]
    path = tmp_path / "agent1_traj.json"
    messages = tuple(TrajectoryMessage(message=message) for message in [*TASK, said[0], {"role": "tool"}, said[1]])
    write_model(
        path, Trajectory(agent_id="a", agent="x", model="m", features=(1,), status="Submitted", messages=messages)
    )
    replayed = make_model(f"replay/{path}")
    again = [replayed.query(TASK), replayed.query(TASK)]
    for old, new in zip(said, again, strict=True):
        assert new["content"] == old["content"]
        assert new["extra"]["usage"] == old["extra"]["usage"]
        assert [call["function"] for call in new.get("tool_calls", ())] == [
            call["function"] for call in old.get("tool_calls", ())
        ]
    with pytest.raises(UsageError, match="no trajectory"):
        make_model(f"replay/{path}.missing")


def test_a_model_behind_an_address_needs_no_litellm() -> None:
    assert isinstance(make_model("Qwen/Qwen3", {"model": {"base_url": "http://localhost:1/v1"}}), OpenAICompatibleModel)


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_anthropic_is_spoken_through_litellm_with_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
    block = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "ls"}}
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 900}
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "I look."}, block],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": usage,
    }
    with serve(Answer(body)) as server:
        model = LitellmModel("anthropic/claude-sonnet-4-5", base_url=server.url.removesuffix("/v1"), stream=False)
        message = model.query(TASK, tools=(BASH, SUBMIT))
        answer = {"role": "tool", "tool_call_id": "toolu_1", "content": "exit code: 0", "extra": {}}
        model.query([*TASK, message, answer, {"role": "user", "content": "Message from agent2: hello"}])
    assert message["extra"]["actions"] == [{"command": "ls", "tool_call_id": "toolu_1"}]
    assert model.usage.cached_tokens == 1800
    assert model.usage.input_tokens == 2000
    assert model.cost is not None
    first, second = server.requests
    assert {tool["name"] for tool in first["tools"]} == {"bash", "submit"}
    assert "cache_control" in str(first["system"])
    assert "cache_control" in str(second["messages"][-1])
    kinds = [part["type"] for part in second["messages"][-1]["content"]]
    assert kinds == ["tool_result", "text"], "a teammate's message comes after the results of the calls"


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_gemini_is_spoken_through_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-the-test")
    part = {"functionCall": {"name": "bash", "args": {"command": "ls"}}}
    body = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120},
        "modelVersion": "gemini",
    }
    with serve(Answer(body)) as server:
        model = LitellmModel("gemini/gemini-2.5-pro", base_url=server.url, retries=0)
        message = model.query(TASK)
    assert message["extra"]["actions"][0]["command"] == "ls"
    assert (model.usage.input_tokens, model.usage.output_tokens) == (100, 20)
    assert model.cost is not None


ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "claude", "stop_reason": None, "usage": {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": 7}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "ok"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "SIGNED"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"comm'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": 'and": "ls"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
]  # fmt: skip


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_events_of_another_dialect_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
    events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in ANTHROPIC_EVENTS]
    with serve(Answer("".join(events)), Answer("".join(events[:8]))) as server:
        model = LitellmModel("anthropic/claude-sonnet-4-5", base_url=server.url.removesuffix("/v1"), retries=0)
        message = model.query(TASK)
        with pytest.raises(ModelAnswerError, match="broke off"):
            model.query(TASK)
    assert server.requests[0]["stream"] is True
    assert message["extra"]["actions"] == [{"command": "ls", "tool_call_id": "toolu_1"}]
    assert message["thinking_blocks"] == [{"type": "thinking", "thinking": "hm ok", "signature": "SIGNED"}]
    assert (model.usage.input_tokens, model.usage.output_tokens, model.usage.cached_tokens) == (32, 15, 7)
    assert model.cost is not None


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.xdist_group("litellm")
def test_silence_in_another_dialect_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
    load_litellm()
    with serve(Answer("event: ping\ndata: {}\n\n", then=": still here\n\n")) as server:
        url = server.url.removesuffix("/v1")
        model = LitellmModel("anthropic/claude-sonnet-4-5", base_url=url, retries=0, timeout=1.0)
        with pytest.raises(ModelTimeoutError):
            model.query(TASK)
        assert not pending_calls()


def test_members_share_the_pause_that_a_provider_asks_for(tmp_path: Path) -> None:
    limited = fails(429, "Rate limit reached", Retry_After="0.4")
    with serve(limited, says("Done.")) as server:
        settings = {"model": {"base_url": server.url, "retry_wait": 0.01}}
        one, other = (make_model("m", settings) for _ in range(2))

        def ask(model: ToolCallingModel) -> None:
            model.query([{"role": "user", "content": "Go on."}])

        with activate_budget(Budget(ledger=RunLedger(tmp_path / "costs.txt"))):
            first = threading.Thread(target=ask, args=(one,))
            first.start()
            while not list(tmp_path.glob(".pauses/*")):
                time.sleep(0.01)
            ask(other)
            first.join()
    refused, *answered = server.times
    assert len(answered) == 2
    assert min(answered) - refused >= 0.39
