"""Limits, errors, retries, broken answers and records of calls that go through the gateway."""

import json
import socket
import sys
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cooperbench.agents import Budget
from cooperbench.agents.journal import Journal, activate_call_journal
from cooperbench.errors import (
    MissingExtraError,
    ModelAuthenticationError,
    ModelOverloadedError,
    ModelRateLimitError,
    UsageError,
)
from cooperbench.gateway import check_gateway, loopback_listener, open_gateway, read_recording
from cooperbench.records import Limits
from cooperbench.records.activity import ActivityLog, ModelSpan, activate_activity, read_activity
from cooperbench.records.ledger import RunLedger
from cooperbench.records.model_wait import ModelWait
from cooperbench.records.trajectory import read_journal
from tests.gateway.opened import KEY, gateway
from tests.gateway.standin_provider import Broken, Refusal, Turn, serve_provider

SYSTEM, QUESTION = "Be brief.", "List the files."
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/x:generateContent",
}
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]},
    "responses": {"instructions": SYSTEM, "input": QUESTION},
    "anthropic": {"max_tokens": 9, "system": SYSTEM, "messages": [{"role": "user", "content": QUESTION}]},
    "gemini": {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
    },
}
OVERLOADED = Refusal(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
LIMITED = Refusal(429, {"error": {"message": "Rate limit reached", "type": "rate_limit"}}, {"Retry-After": "0.3"})
WRONG_KEY = Refusal(401, {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}})


def ask(address: str, dialect: str, *, stream: bool = False, **fields: Any) -> httpx.Response:
    path, body = PATHS[dialect], {**BODIES[dialect], **fields}
    if dialect == "gemini":
        path = path.replace(":generate", ":streamGenerate") if stream else path
    else:
        body = {"model": "x", "stream": stream, **body}
    return httpx.post(f"{address}{path}", json=body, timeout=60, headers={"authorization": "Bearer placeholder"})


@pytest.mark.parametrize("dialect", PATHS)
def test_limit_is_an_error_of_the_callers_dialect(dialect: str, tmp_path: Path) -> None:
    budget = Budget(Limits(steps=1, tokens=None, cost=None))
    with serve_provider(speaks=(dialect,)) as provider, gateway(provider, tmp_path, budget=budget) as (_, _, address):
        assert ask(address, dialect).status_code == 200
        refused = ask(address, dialect, stream=True)
        assert refused.status_code == 400  # which programs do not repeat
        assert refused.headers["x-should-retry"] == "false"
        error = refused.json()["error"]
        assert error["message"] == "steps limit reached: 1 of 1"
        if dialect == "anthropic":
            assert refused.json()["type"] == "error"
        assert budget.reached is not None
        assert len(provider.requests) == 1


def test_cost_limits_of_member_and_run(tmp_path: Path) -> None:
    turn = Turn(input=100_000, output=0)  # 0.2 dollars
    ledger = RunLedger(tmp_path / "costs.txt", 0.5)
    budget = Budget(Limits(steps=None, tokens=None, cost=1.0), ledger=ledger)
    with (
        serve_provider(turn, speaks=("chat",)) as provider,
        gateway(provider, tmp_path, budget=budget) as (_, _, address),
    ):
        statuses = [ask(address, "chat", stream=number % 2 == 0).status_code for number in range(5)]
    assert statuses == [200, 200, 200, 400, 400]
    assert budget.reached is not None
    assert budget.reached.kind == "run cost"
    assert ledger.total() == pytest.approx(provider.bill) == pytest.approx(0.6)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "events"])
@pytest.mark.parametrize("dialect", PATHS)
def test_retries_are_seen_by_nobody_but_the_record(dialect: str, stream: bool, tmp_path: Path) -> None:
    budget = Budget(waits=tmp_path / "waits.jsonl")
    with serve_provider(OVERLOADED, LIMITED, Turn(), speaks=(dialect,)) as provider:
        with gateway(provider, tmp_path, budget=budget) as (opened, _, address):
            answer = ask(address, dialect, stream=stream)
    assert answer.status_code == 200
    assert "All done." in answer.text or stream
    assert provider.times[2] - provider.times[1] >= 0.3  # as the provider asked
    assert budget.usage.cost == pytest.approx(provider.bill)
    assert budget.steps == 1
    waits = [ModelWait.model_validate_json(line) for line in (tmp_path / "waits.jsonl").read_bytes().splitlines()]
    assert [wait.kind for wait in waits] == ["ModelOverloadedError", "ModelRateLimitError"]
    [call] = read_recording(tmp_path / "model_calls.jsonl.gz")
    assert call.attempts == 3
    assert opened.failure is None


def test_what_is_given_up_is_final_for_the_program(tmp_path: Path) -> None:
    with serve_provider(OVERLOADED, speaks=("anthropic",)) as provider:
        with gateway(provider, tmp_path, retries=2) as (opened, budget, address):
            answer = ask(address, "anthropic")
        assert len(provider.requests) == 3
    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert "Overloaded" in answer.json()["error"]["message"]
    assert isinstance(opened.failure, ModelOverloadedError)
    assert budget.provider_failure is opened.failure
    assert budget.steps == 0


def test_a_refusal_is_passed_on_in_the_providers_words_without_the_key(tmp_path: Path) -> None:
    with serve_provider(WRONG_KEY, speaks=("chat",)) as provider, gateway(provider, tmp_path) as (opened, _, address):
        answer = ask(address, "chat")
        assert len(provider.requests) == 1
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert KEY not in answer.text
    assert isinstance(opened.failure, ModelAuthenticationError)
    assert KEY not in str(opened.failure)


def test_members_share_the_pause_that_a_provider_asks_for(tmp_path: Path) -> None:
    with serve_provider(LIMITED, Turn(), speaks=("chat",)) as provider:
        budgets = [Budget(ledger=RunLedger(tmp_path / "costs.txt")) for _ in range(2)]
        with gateway(provider, tmp_path, budget=budgets[0]) as (_, _, one):
            with gateway(provider, tmp_path, budget=budgets[1]) as (_, _, other):
                first = threading.Thread(target=ask, args=(one, "chat"))
                first.start()
                while not (tmp_path / ".pauses").exists():
                    time.sleep(0.01)
                ask(other, "chat")
                first.join()
    refused, *answered = provider.times
    assert len(answered) == 2
    assert min(answered) - refused >= 0.29
    assert [budget.steps for budget in budgets] == [1, 1]


@pytest.mark.parametrize("dialect", PATHS)
def test_an_answer_that_breaks_off_ends_with_an_error_event(dialect: str, tmp_path: Path) -> None:
    turn = Turn("Some words that are cut off here, in the middle of the answer", input=500)
    with (
        serve_provider(Broken(turn, 2), speaks=(dialect,)) as provider,
        gateway(provider, tmp_path) as (opened, budget, address),
    ):
        answer = ask(address, dialect, stream=True)
    assert answer.status_code == 200
    events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
    assert "broke off" in json.dumps(events[-1])
    assert opened.failure is not None
    assert budget.steps == 1
    # Anthropic and Gemini say at the start what was read; the others count at the end only.
    assert budget.usage.input_tokens == (500 if dialect in {"anthropic", "gemini"} else None)
    assert (budget.usage.cost is None) == (dialect not in {"anthropic", "gemini"})


@pytest.mark.parametrize("dialect", ["chat", "anthropic"])
def test_a_program_that_hangs_up_pays_for_what_it_asked(dialect: str, tmp_path: Path) -> None:
    with (
        serve_provider(Turn(), speaks=(dialect,), pause=0.05) as provider,
        gateway(provider, tmp_path) as (_, budget, address),
    ):
        body = json.dumps({**BODIES[dialect], "model": "x", "stream": True}).encode()
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST {PATHS[dialect]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert connection.recv(1)
        deadline = time.monotonic() + 60
        while budget.steps == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert budget.usage.cost == pytest.approx(provider.bill)


def test_history_and_spans_are_those_of_a_built_in_model(tmp_path: Path) -> None:
    activity = ActivityLog(tmp_path / "activity.jsonl")
    turns = (Turn(call=("bash", {"command": "ls"})), Turn("Two files."))
    with (
        closing(Journal(tmp_path / "calls.jsonl")) as journal,
        activate_call_journal(journal),
        activate_activity(activity),
        serve_provider(*turns, speaks=("anthropic",), pause=0.02) as provider,
    ):
        with gateway(provider, tmp_path) as (_, _, address):
            ask(address, "anthropic", stream=True)
            called = {"type": "tool_use", "id": "toolu_0", "name": "bash", "input": {"command": "ls"}}
            result = {
                "type": "tool_result",
                "tool_use_id": "toolu_0",
                "content": [{"type": "text", "text": "a.py b.py"}],
            }
            history = [
                *BODIES["anthropic"]["messages"],
                {"role": "assistant", "content": [called]},
                {"role": "user", "content": [result]},
            ]
            ask(address, "anthropic", messages=history, system="Be brief. It is noon.")
    messages = [entry.message for entry in read_journal(tmp_path / "calls.jsonl")]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "system", "tool", "assistant"]
    assert messages[2]["tool_calls"][0]["function"] == {"name": "bash", "arguments": '{"command": "ls"}'}
    assert messages[4] == {"role": "tool", "tool_call_id": "toolu_0", "content": "a.py b.py"}
    spans = [span for span in read_activity(tmp_path / "activity.jsonl") if isinstance(span, ModelSpan)]
    assert [span.usage.input_tokens for span in spans] == [1000, 1000]
    [streamed, _] = spans
    assert streamed.started_at is not None
    assert streamed.first_token_at is not None
    assert streamed.started_at < streamed.first_token_at < streamed.ended_at


@pytest.mark.parametrize("dialect", PATHS)
def test_a_recording_plays_without_a_provider(dialect: str, tmp_path: Path) -> None:
    turns = (Turn(call=("bash", {"command": "ls"})), Turn("Two files."))
    with serve_provider(*turns, speaks=(dialect,)) as provider, gateway(provider, tmp_path) as (_, _, address):
        asked = [ask(address, dialect, stream=True), ask(address, dialect)]
    budget = Budget()
    played = open_gateway(f"replay/{tmp_path / 'model_calls.jsonl.gz'}", budget=budget)
    with loopback_listener(played.handle) as address:
        again = [ask(address, dialect, stream=True), ask(address, dialect)]
        none_left = ask(address, dialect)
    assert [answer.text for answer in again] == [answer.text for answer in asked]
    assert none_left.status_code == 400
    assert "recorded answers limit reached: 1 of 1" in none_left.text
    assert budget.reached is not None
    assert (budget.steps, budget.usage.cost) == (2, 0.0)


def test_no_record_holds_a_key(tmp_path: Path) -> None:
    with (
        closing(Journal(tmp_path / "calls.jsonl")) as journal,
        activate_call_journal(journal),
        serve_provider(WRONG_KEY, Turn(), speaks=("chat",)) as provider,
        gateway(provider, tmp_path) as (_, _, address),
    ):
        ask(address, "chat")
        ask(address, "chat", stream=True)
    calls = list(read_recording(tmp_path / "model_calls.jsonl.gz"))
    texts = [call.model_dump_json() for call in calls] + [(tmp_path / "calls.jsonl").read_text()]
    assert len(calls) == 2
    assert not any(KEY in text or "placeholder" in text for text in texts)


def test_settings_of_the_run_replace_those_of_the_program(tmp_path: Path) -> None:
    with (
        serve_provider(speaks=tuple(PATHS)) as provider,
        gateway(provider, tmp_path, temperature=0.5, max_tokens=77, seed=3) as (_, _, address),
    ):
        for dialect in ("chat", "responses", "anthropic"):
            ask(address, dialect, temperature=1.0)
    chat, responses, messages = provider.requests
    assert [each["temperature"] for each in provider.requests] == [0.5, 0.5, 0.5]
    assert (chat["max_tokens"], responses["max_output_tokens"], messages["max_tokens"]) == (77, 77, 77)
    assert (chat["seed"], "seed" in responses, "seed" in messages) == (3, False, False)


def test_a_server_that_refuses_to_count_among_events(tmp_path: Path) -> None:
    refused = Refusal(400, {"error": {"message": "Unknown field: stream_options"}})
    with (
        serve_provider(refused, Turn(), speaks=("chat",)) as provider,
        gateway(provider, tmp_path) as (_, budget, address),
    ):
        assert ask(address, "chat", stream=True).status_code == 200
        assert ask(address, "chat", stream=True).status_code == 200
        assert ["stream_options" in request for request in provider.requests] == [True, False, False]
    assert (budget.steps, budget.usage.cost) == (2, None)


def test_side_models(tmp_path: Path) -> None:
    with serve_provider(speaks=("chat",)) as provider:
        opened = open_gateway("m", {"model": {"base_url": provider.url}, "side_model": "small"}, budget=Budget())
        with loopback_listener(opened.handle) as address:
            ask(address, "chat", model="m")
            ask(address, "chat", model="tiny-titles")
        assert [each["model"] for each in provider.requests] == ["m", "small"]


def test_what_the_gateway_answers_by_itself(tmp_path: Path) -> None:
    with serve_provider() as provider, gateway(provider, tmp_path) as (_, budget, address):
        assert httpx.get(f"{address}/v1/models").json()["data"][0]["id"] == "m"
        assert httpx.get(f"{address}/v1beta/models").json()["models"][0]["name"] == "models/m"
        assert httpx.get(f"{address}/v1/models/m").json()["id"] == "m"
        assert httpx.head(address).status_code == 200
        counted = httpx.post(f"{address}/v1/messages/count_tokens", json=BODIES["anthropic"]).json()
        assert counted["input_tokens"] > 5
        assert httpx.post(f"{address}/v1/embeddings", json={}).status_code == 404
        assert httpx.post(f"{address}/v1/messages", content=b"{").status_code == 400
        assert provider.requests == []
    assert budget.steps == 0


@pytest.mark.parametrize("prefix", ["", "/my-token-and-more"])
def test_strangers_are_refused_on_every_path_in_their_dialect(prefix: str, tmp_path: Path) -> None:
    with serve_provider() as provider, gateway(provider, tmp_path) as (opened, budget, _):
        with loopback_listener(partial(opened.handle, token="my-token")) as address:
            for dialect in PATHS:
                refused = ask(f"{address}{prefix}", dialect, stream=dialect != "chat")
                assert refused.status_code == 401
                assert "token" in refused.json()["error"]["message"]
                kind = {"anthropic": "type", "gemini": "status"}.get(dialect, "code")
                names = {"anthropic": "authentication_error", "gemini": "UNAUTHENTICATED"}
                assert refused.json()["error"][kind] == names.get(dialect, "invalid_api_key")
            for path in ("", "/v1/models", "/v1beta/models/m", "/v1/embeddings"):
                assert httpx.get(f"{address}{prefix}{path}").status_code == 401
            counting = httpx.post(f"{address}{prefix}/v1/messages/count_tokens", json={})
            assert counting.status_code == 401
            assert (provider.requests, budget.steps) == ([], 0)
            assert ask(f"{address}/my-token", "anthropic").status_code == 200
            assert httpx.head(f"{address}/my-token").status_code == 200
            assert httpx.get(f"{address}/my-token/v1/models").status_code == 200
    assert budget.steps == 1
    calls = list(read_recording(tmp_path / "model_calls.jsonl.gz"))
    assert [call.call.path for call in calls] == ["/v1/messages"]


def test_settings_that_programs_cannot_keep_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://localhost:1/v1"
    with pytest.raises(UsageError, match=r"`model.tool_format` cannot be set"):
        check_gateway("m", {"model": {"base_url": url, "tool_format": "text"}})
    with pytest.raises(UsageError, match="MY_KEY is not set"):
        check_gateway("m", {"model": {"base_url": url, "api_key_env": "MY_KEY"}})
    with pytest.raises(UsageError, match="not the URL"):
        check_gateway("m", {"model": {"base_url": "localhost:1"}})
    with pytest.raises(UsageError, match=r"unknown member in the script 'agent2'"):
        check_gateway("scripted/solo_passes", {}, agent_id="agent2")
    with pytest.raises(UsageError, match=r"cannot read the recording .*none.jsonl.gz"):
        check_gateway("replay/none.jsonl.gz", {})
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "litellm", None)
        without.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
        check_gateway("claude-sonnet-4-5", {}, dialect="anthropic")
        with pytest.raises(MissingExtraError, match="translating for the model 'claude-sonnet-4-5' needs the extra"):
            check_gateway("claude-sonnet-4-5", {}, dialect="responses")
    with pytest.raises(UsageError, match="not at the provider"):
        open_gateway("openai/gpt-5", {"side_model": "anthropic/claude-haiku-4-5"})


def test_rate_limits_without_an_end_are_a_failure_of_the_provider(tmp_path: Path) -> None:
    with serve_provider(Refusal(429, LIMITED.body), speaks=("gemini",)) as provider:
        with gateway(provider, tmp_path, retries=1) as (opened, _, address):
            answer = ask(address, "gemini")
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert isinstance(opened.failure, ModelRateLimitError)
    assert len(provider.requests) == 2
