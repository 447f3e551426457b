"""A script behind any program: its turns in all dialects, and what a dialect's own reader makes of them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cooperbench.agents.mini_swe_agent.models.script_file import ScriptedTurn
from cooperbench.errors import ModelOverloadedError, ModelRequestError
from cooperbench.gateway.dialects import DIALECTS, ModelCall, TokenCounts
from cooperbench.gateway.events import EventSplitter
from cooperbench.gateway.replies import ProviderReply
from cooperbench.gateway.scripted import ScriptedAnswers

SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "risk": {"enum": ["LOW"]}},
    "required": ["command", "risk"],
}
TOOLS: dict[str, list[dict[str, Any]]] = {
    "anthropic": [{"name": "Bash", "input_schema": SCHEMA}],
    "chat": [{"type": "function", "function": {"name": "bash", "parameters": SCHEMA}}],
    "gemini": [{"functionDeclarations": [{"name": "run_shell_command", "parametersJsonSchema": SCHEMA}]}],
    "responses": [{"type": "function", "name": "shell", "parameters": SCHEMA}],
}
TURNS: list[dict[str, Any]] = [
    {"text": "Now I look.", "tool_calls": [{"name": "bash", "arguments": {"command": "ls"}}], "usage": {"input_tokens": 900, "output_tokens": 40, "cached_tokens": 500}, "cost": 0.0125},
    {"tool_calls": [{"name": "send_message", "arguments": {"to": "agent2", "message": "it's mine"}}]},
    {"wait_for_message": {"from": "agent2", "timeout": 5}},
    {"tool_calls": [{"name": "submit"}]},
]  # fmt: skip


def script(turns: Sequence[dict[str, Any]]) -> ScriptedAnswers:
    return ScriptedAnswers([ScriptedTurn.model_validate(turn) for turn in turns])


def call(dialect: str, stream: bool, **body: Any) -> ModelCall:
    whole = {"tools": TOOLS[dialect], **body}
    return ModelCall(dialect=dialect, path="/", model="m", stream=stream, body=whole)


def events(reply: ProviderReply) -> Iterator[dict[str, Any]]:
    if not reply.in_events:
        yield json.loads(reply.whole())
        return
    splitter = EventSplitter()
    for chunk in reply.chunks:
        yield from (block.data for block in splitter.feed(chunk) if block.data is not None)


def read(reply: ProviderReply, dialect: str) -> tuple[str, list[dict[str, Any]], TokenCounts]:
    reader = DIALECTS[dialect].reader()
    for event in events(reply):
        reader.feed(event)
    message = reader.message()
    made = [json.loads(one["function"]["arguments"]) for one in message.get("tool_calls") or ()]
    return message.get("content") or "", made, reader.tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", sorted(TOOLS))
def test_a_script_is_played_in_every_dialect(dialect: str, stream: bool) -> None:
    answers = script(TURNS)
    first = answers.ask(call(dialect, stream))
    said, made, tokens = read(first, dialect)
    assert said == "Now I look."
    assert made == [{"command": "ls", "risk": "LOW"}]
    assert (tokens.input, tokens.output, tokens.cached) == (900, 40, 500)
    assert first.counted() == TokenCounts(input=900, output=40, cached=500, cost=0.0125)
    following = [read(answers.ask(call(dialect, stream)), dialect)[1] for _ in range(3)]
    assert [one[0]["command"] if one else None for one in following] == [
        "coop send agent2 'it'\"'\"'s mine'",
        "coop recv --wait 5 --from agent2",
        None,
    ]
    assert read(answers.ask(call(dialect, stream)), dialect)[0]  # a program that asks once more after the end


def test_requests_without_a_shell_do_not_take_a_turn() -> None:
    answers = script(TURNS)
    title = ModelCall(dialect="chat", path="/", model="m", stream=False, body={"messages": []})
    assert read(answers.ask(title), "chat")[1] == []
    assert read(answers.ask(call("chat", False)), "chat")[1][0]["command"] == "ls"


def test_failures_and_the_end_of_a_script() -> None:
    turns: list[dict[str, Any]] = [{"error": 503}, {"tool_calls": [{"name": "bash", "arguments": {"command": "ls"}}]}]
    answers = script(turns)
    with pytest.raises(ModelOverloadedError):
        answers.ask(call("chat", False))
    answers.ask(call("chat", False))
    with pytest.raises(ModelRequestError, match="no turn after number 2"):
        answers.ask(call("chat", False))


def test_a_turn_may_depend_on_what_was_read() -> None:
    turns: list[dict[str, Any]] = [{"text": "alone", "not_told_by": "agent2"}, {"text": "heard", "told_by": "agent2"}]
    silent = script(turns).ask(call("anthropic", False, messages=[{"role": "user", "content": "go"}]))
    heard = script(turns).ask(
        call("anthropic", False, messages=[{"role": "user", "content": "Message from agent2:\n> hi"}])
    )
    assert read(silent, "anthropic")[0] == "alone"
    assert read(heard, "anthropic")[0] == "heard"


def test_a_tool_of_the_program_is_called_by_its_name_or_ending() -> None:
    answers = script([{"tool_calls": [{"name": "team"}, {"name": "unheard_of"}]}, {"tool_calls": [{"name": "submit"}]}])
    own = {"type": "namespace", "name": "mcp__coop", "tools": [{"type": "function", "name": "team", "parameters": {}}]}
    reply = answers.ask(call("responses", False, tools=[*TOOLS["responses"], own]))
    named, unknown = [item for item in json.loads(reply.whole())["output"] if item["type"] == "function_call"]
    assert (named["name"], named["namespace"], named["arguments"]) == ("team", "mcp__coop", "{}")
    assert unknown["name"] == "shell"
    assert "there is no tool unheard_of" in unknown["arguments"]
    prefixed = {"type": "function", "function": {"name": "coop_team", "parameters": {}}}
    again = script([{"tool_calls": [{"name": "team"}]}, {"tool_calls": [{"name": "submit"}]}])
    chosen = json.loads(again.ask(call("chat", False, tools=[*TOOLS["chat"], prefixed])).whole())
    assert chosen["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "coop_team"
