"""Programs that ask through the SDKs of OpenAI, Anthropic and Google, whatever dialect the model's provider speaks."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from cooperbench.agents import Budget
from cooperbench.errors import ModelContextWindowError
from cooperbench.gateway import loopback_listener, open_gateway, preload, read_recording
from tests.gateway.opened import KEY, gateway
from tests.gateway.standin_provider import Refusal, StandInProvider, Turn, serve_provider

pytestmark = pytest.mark.slow  # to import the three SDKs takes two seconds

SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
QUESTION = "List the files."
SAID = "Here are the files, all of them."
TURNS = {
    "text": Turn(SAID, input=1200, cached=400, output=70, reasoning=20),
    "call": Turn(call=("bash", {"command": "ls"}), input=900, output=30),
}
DIALECTS = ("chat", "responses", "anthropic", "gemini")
Answer = tuple[str, list[tuple[str, Any]]]
"""The text that a program has read, and the calls."""


def ask_chat(address: str, stream: bool) -> Answer:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="placeholder") as client:
        tools: Any = [{"type": "function", "function": {"name": "bash", "parameters": SCHEMA}}]
        messages: Any = [{"role": "user", "content": QUESTION}]
        if not stream:
            whole: Any = client.chat.completions.create(model="x", messages=messages, tools=tools).choices[0].message
            return whole.content or "", [
                (call.function.name, call.function.arguments) for call in whole.tool_calls or []
            ]
        text, name, arguments = "", "", ""
        for chunk in client.chat.completions.create(model="x", messages=messages, tools=tools, stream=True):
            delta = chunk.choices[0].delta  # there is a choice in every chunk: nobody asked for counts
            text += delta.content or ""
            for call in delta.tool_calls or []:
                assert call.function is not None
                name, arguments = name or call.function.name or "", arguments + (call.function.arguments or "")
        return text, [(name, arguments)] if name else []


def ask_responses(address: str, stream: bool) -> Answer:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="placeholder") as client:
        tools: Any = [{"type": "function", "name": "bash", "parameters": SCHEMA, "strict": False}]
        if stream:
            with client.responses.stream(model="x", input=QUESTION, instructions="Be brief.", tools=tools) as events:
                response: Any = events.until_done().get_final_response()
        else:
            response = client.responses.create(model="x", input=QUESTION, instructions="Be brief.", tools=tools)
    calls = [(item.name, item.arguments) for item in response.output if item.type == "function_call"]
    return response.output_text, calls


def ask_anthropic(address: str, stream: bool) -> Answer:
    with anthropic.Anthropic(base_url=address, api_key="placeholder") as client:
        given: Any = {
            "model": "x",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": QUESTION}],
            "tools": [{"name": "bash", "input_schema": SCHEMA}],
        }
        if stream:
            with client.messages.stream(**given) as events:
                message: Any = events.get_final_message()
        else:
            message = client.messages.create(**given)
    text = "".join(block.text for block in message.content if block.type == "text")
    return text, [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def ask_gemini(address: str, stream: bool) -> Answer:
    client = genai.Client(api_key="placeholder", http_options=genai.types.HttpOptions(base_url=address))
    tool = genai.types.Tool(function_declarations=[{"name": "bash", "parameters_json_schema": SCHEMA}])
    config = genai.types.GenerateContentConfig(system_instruction="Be brief.", tools=[tool])
    if stream:
        answers = list(client.models.generate_content_stream(model="x", contents=QUESTION, config=config))
    else:
        answers = [client.models.generate_content(model="x", contents=QUESTION, config=config)]
    parts = [part for answer in answers for part in (answer.candidates or [])[0].content.parts or []]
    calls = [(part.function_call.name or "", part.function_call.args) for part in parts if part.function_call]
    return "".join(part.text or "" for part in parts), calls


CLIENTS: dict[str, Callable[[str, bool], Answer]] = {
    "chat": ask_chat,
    "responses": ask_responses,
    "anthropic": ask_anthropic,
    "gemini": ask_gemini,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "events"])
@pytest.mark.parametrize("kind", TURNS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_same_dialect(dialect: str, kind: str, stream: bool, tmp_path: Path) -> None:
    with (
        serve_provider(TURNS[kind], speaks=(dialect,)) as provider,
        gateway(provider, tmp_path) as (_, budget, address),
    ):
        check(CLIENTS[dialect](address, stream), kind)
        assert_paid(budget, provider)
        assert provider.requests[0].get("model", "m") == "m"
        assert KEY in str(provider.headers[0])
        assert "placeholder" not in str(provider.headers[0])


@pytest.mark.slow
@pytest.mark.parametrize("provider_speaks", ["chat", "gemini", "anthropic"])
def test_other_dialects(provider_speaks: str, tmp_path: Path) -> None:
    for dialect in DIALECTS:
        for kind, stream in (("text", False), ("text", True), ("call", True)):
            if dialect != provider_speaks:
                with serve_provider(TURNS[kind], speaks=(provider_speaks,)) as provider:
                    with gateway(provider, tmp_path) as (_, budget, address):
                        check(CLIENTS[dialect](address, stream), kind)
                        assert_paid(budget, provider)
                        assert "placeholder" not in str(provider.headers[0])


@pytest.mark.slow  # shares the import of LiteLLM with those above
def test_errors_and_retries_behind_a_translation(tmp_path: Path) -> None:
    overloaded = Refusal(503, {"error": {"message": "The server is overloaded", "type": "server_error"}})
    too_long = Refusal(
        400, {"error": {"message": "maximum context length is 4096 tokens", "code": "context_length_exceeded"}}
    )
    with serve_provider(overloaded, TURNS["text"], too_long, speaks=("chat",)) as provider:
        with gateway(provider, tmp_path) as (opened, budget, address):
            check(ask_anthropic(address, True), "text")
            with pytest.raises(anthropic.BadRequestError) as refused:
                ask_anthropic(address, False)
            with pytest.raises(openai.BadRequestError, match="maximum context length"):
                ask_responses(address, False)
        assert budget.usage.cost == pytest.approx(provider.bill)
    assert refused.value.body["type"] == "error"  # type: ignore[index, unused-ignore]
    assert "maximum context length" in str(refused.value)
    assert isinstance(opened.failure, ModelContextWindowError)
    assert [call.attempts for call in read_recording(tmp_path / "model_calls.jsonl.gz")] == [2, 1, 1]


def check(answer: Answer, kind: str) -> None:
    text, calls = answer
    if kind == "text":
        assert (text, calls) == (SAID, [])
    else:
        [(name, arguments)] = calls
        assert name == "bash"
        assert arguments in ({"command": "ls"}, '{"command": "ls"}', '{"command":"ls"}')


def assert_paid(budget: Budget, provider: StandInProvider) -> None:
    assert budget.usage.cost == pytest.approx(provider.bill, abs=1e-9)
    assert budget.usage.cost
    assert budget.steps == len(provider.requests)


@pytest.mark.slow  # shares the import of LiteLLM with those above
def test_models_of_openai_are_asked_as_they_want(monkeypatch: pytest.MonkeyPatch) -> None:

    with serve_provider(TURNS["call"], speaks=("chat", "responses")) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        for model in ("gpt-5", "gpt-5-codex"):
            budget = Budget()
            with loopback_listener(open_gateway(model, budget=budget).handle) as address:
                check(ask_anthropic(address, True), "call")
            # LiteLLM's prices: 1.25 and 10 dollars for a million tokens.
            assert budget.usage.cost == pytest.approx((900 * 1.25 + 30 * 10) / 1e6)
        asked = list(zip(provider.paths, provider.requests, strict=True))
    [(chat, first), (responses, _)] = asked
    assert (chat, responses) == ("/v1/chat/completions", "/v1/responses")
    assert first["max_completion_tokens"] == 100
    assert "max_tokens" not in first


@pytest.mark.slow
def test_input_written_to_a_cache_has_its_own_price(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_provider(Turn(input=1000, cached=400, written=200), speaks=("anthropic",)) as provider:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", provider.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        budget = Budget()
        with loopback_listener(open_gateway("claude-sonnet-4-5", budget=budget).handle) as address:
            ask_anthropic(address, False)
    assert budget.usage.cost == pytest.approx((400 * 3 + 400 * 0.3 + 200 * 3.75 + 50 * 15) / 1e6)


def test_what_the_fork_server_imports_for_translations_is_there() -> None:
    names = preload("m", {"model": {"base_url": "http://localhost:1/v1"}}, "anthropic")
    assert len([import_module(name) for name in names]) == 5
    assert preload("m", {"model": {"base_url": "http://localhost:1/v1"}}, "chat") == ("cooperbench.gateway",)
