"""What model servers answer in the wild, through both ways to call a model. The answers are data: `odd_answers.yaml`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cooperbench.agents.mini_swe_agent.models import LitellmModel, ToolCallingModel, make_model
from cooperbench.agents.mini_swe_agent.tools import BASH, SUBMIT, read_tool_calls
from cooperbench.errors import ModelContextWindowError, ModelError, ModelRateLimitError
from tests.agents.standin_llm import Answer, serve

ROWS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("odd_answers.yaml").read_text())
TASK = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Do it."}]
SLOW_IMPORT = [pytest.mark.needs("litellm"), pytest.mark.slow]

both = pytest.mark.parametrize(
    "route", ["http", pytest.param("litellm", marks=SLOW_IMPORT), pytest.param("unstreamed", marks=SLOW_IMPORT)]
)
rows = pytest.mark.parametrize("row", [pytest.param(row, id=str(row["name"]).replace(" ", "_")) for row in ROWS])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")


def model_at(route: str, url: str, **section: Any) -> ToolCallingModel:
    settings = {"base_url": url, "retries": 0, "timeout": 20, "stream": route != "unstreamed", **section}
    return make_model("odd", {"model": settings}) if route == "http" else LitellmModel("openai/odd", **settings)


def test_the_table_is_large_and_each_row_has_a_name_of_its_own() -> None:
    assert len({str(row["name"]) for row in ROWS}) == len(ROWS) >= 60


@both
@rows
def test_an_odd_answer_is_read_or_known_for_what_it_is(row: dict[str, Any], route: str) -> None:
    wanted = {**row, **row.get("unstreamed", {})} if route == "unstreamed" else row
    with serve(Answer(row["body"], row.get("status", 200))) as server:
        model = model_at(route, server.url)
        if "fails" in wanted:
            with pytest.raises(ModelError) as caught:
                model.query(TASK, tools=(BASH, SUBMIT))
            check_failure(caught.value, wanted)
        else:
            check_answer(model.query(TASK, tools=(BASH, SUBMIT)), wanted["reads"])
            check_answer(model.query(TASK, tools=(BASH, SUBMIT)), wanted["reads"])


def check_failure(error: ModelError, wanted: dict[str, Any]) -> None:
    assert type(error).__name__ == wanted["fails"], error
    assert error.retryable == wanted.get("again", False)
    assert wanted.get("hint", "") in str(error.hint)
    assert error.retry_after == wanted.get("pause", error.retry_after)
    if isinstance(error, ModelContextWindowError):
        assert (error.window, error.asked) == (wanted.get("window"), wanted.get("asked"))


def check_answer(message: dict[str, Any], wanted: dict[str, Any]) -> None:
    if "text" in wanted:
        assert message["content"] == wanted["text"]
    calls = read_tool_calls(message, (BASH, SUBMIT))
    assert len({call.id for call in calls}) == len(calls)
    assert len(calls) == len(wanted.get("calls", ()))
    for call, (name, given) in zip(calls, wanted.get("calls", ()), strict=True):
        assert call.name == name
        if isinstance(given, dict):
            assert (call.error, call.arguments) == (None, given)
        else:
            assert given in str(call.error)
    usage = message["extra"]["usage"]
    if "tokens" in wanted:
        assert [usage["input_tokens"], usage["output_tokens"]] == wanted["tokens"]
    if "cost" in wanted:
        assert usage["cost"] == wanted["cost"]
    assert message["extra"]["finish_reason"] == wanted.get("reason", message["extra"]["finish_reason"])


@pytest.mark.needs("litellm")
@pytest.mark.slow
def test_another_dialect_is_refused_with_its_status_and_its_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
    body = {"type": "error", "error": {"type": "unheard_of", "message": "Come back."}}
    with serve(Answer(body, 429, {"Retry_After": "7"})) as server:
        model = LitellmModel("anthropic/claude-sonnet-4-5", base_url=server.url.removesuffix("/v1"), retries=0)
        with pytest.raises(ModelRateLimitError) as caught:
            model.query(TASK)
    assert (caught.value.retryable, caught.value.retry_after) == (True, 7.0)


OWN_DIALECT = {
    "Anthropic": "anthropic/claude-sonnet-4-5",
    "Gemini": "gemini/gemini-2.5-pro",
    "Mistral": "mistral/mistral-large-latest",
    "DeepSeek": "deepseek/deepseek-chat",
    "Ollama": "ollama_chat/llama3.1",
    "Groq": "groq/llama-3.3-70b-versatile",
}


@pytest.mark.needs("litellm")
@pytest.mark.slow
@pytest.mark.parametrize("provider", OWN_DIALECT)
def test_a_provider_is_refusing_in_its_own_dialect_too(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM speaks to each of these by a part of its own, whose errors look different."""
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", "key-of-the-test")
    refusals = [row for row in ROWS if str(row["name"]).startswith(f"{provider},") and row.get("status", 200) >= 400]
    assert len(refusals) >= 3
    for row in refusals:
        with serve(Answer(row["body"], row["status"])) as server:
            url = server.url.removesuffix("/v1") if provider in {"Anthropic", "Ollama"} else server.url
            model = LitellmModel(OWN_DIALECT[provider], base_url=url, retries=0, timeout=20)
            if "fails" in row:
                with pytest.raises(ModelError) as caught:
                    model.query(TASK, tools=(BASH, SUBMIT))
                assert (type(caught.value).__name__, caught.value.retryable) == (row["fails"], row.get("again", False))
            else:
                check_answer(model.query(TASK, tools=(BASH, SUBMIT)), row["reads"])


@pytest.mark.parametrize("message", ["Incorrect API key provided: {}.", '{{"error": "invalid api key {}"}}'])
def test_a_key_that_a_provider_repeats_is_not_shown(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-of-the-test")
    with serve(Answer(message.format("a-secret-of-the-test"), 401)) as server:
        with pytest.raises(ModelError) as caught:
            model_at("http", server.url).query(TASK)
    assert "a-secret" not in str(caught.value)
