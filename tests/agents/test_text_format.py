"""Models and servers that cannot call tools: tools are described in the prompt, and calls are written."""

from typing import Any

import pytest

from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.tools import WRITTEN_CALL
from cooperbench.environments import LocalEnvironment
from cooperbench.errors import ModelToolsError, UsageError
from tests.agents.standin_llm import Answer, fails, says, serve

TASK: list[dict[str, Any]] = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Do it."}]
LOOK = 'I look.\n<tool_call>\n{"name": "bash", "arguments": {"command": "cat answer.py"}}\n</tool_call>'
INVENTED = '\n<tool_response>\nnothing\n</tool_response>\n<tool_call>\n{"name": "bash", "arguments": {"command": "touch invented"}}\n</tool_call>'
DONE = '<tool_call>{"name": "submit", "arguments": {}}</tool_call>'
REFUSAL = fails(400, "registry.ollama.ai/library/gemma3:4b does not support tools")


def refuses_tools(*answers: Answer) -> Any:
    """Return what refuses requests with tools, and gives others the next answer."""
    left = list(answers)
    return lambda request: REFUSAL if "tools" in request else left.pop(0)


def test_a_model_writes_its_calls_and_reads_results_as_text(local: LocalEnvironment) -> None:
    with serve(says(LOOK + INVENTED), says(DONE)) as server:
        agent = DefaultAgent(make_model("small", {"model": {"base_url": server.url, "tool_format": "text"}}), local)
        assert agent.run(task="Change the answer.")[0] == "Submitted"
    first, second = (request["messages"] for request in server.requests)
    assert all("tools" not in request for request in server.requests)
    assert WRITTEN_CALL in first[0]["content"]
    assert '"name": "submit"' in first[0]["content"]
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert second[2]["content"] == LOOK, "what the model writes about results by itself is cut"
    assert second[3]["content"].startswith("<tool_response>\nexit code: 0\ndef answer():")
    assert local.execute("ls invented")["returncode"] != 0


def test_a_server_without_tools_is_an_error_unless_text_is_allowed() -> None:
    with serve(refuses_tools()) as server:
        model = make_model("small", {"model": {"base_url": server.url}})
        with pytest.raises(ModelToolsError) as caught:
            model.query(TASK)
    assert "tool_format" in str(caught.value)


def test_the_format_is_found_out_once() -> None:
    with serve(refuses_tools(says(LOOK), says(LOOK))) as server:
        model = make_model("small", {"model": {"base_url": server.url, "tool_format": "auto"}})
        for _ in range(2):
            assert model.query(TASK)["extra"]["actions"][0]["command"] == "cat answer.py"
    assert ["tools" in request for request in server.requests] == [True, False, False]


def test_a_server_that_has_tools_keeps_them() -> None:
    with serve(says("", ("bash", {"command": "ls"}))) as server:
        make_model("small", {"model": {"base_url": server.url, "tool_format": "auto"}}).query(TASK)
    assert "tools" in server.requests[0]
    assert WRITTEN_CALL not in str(server.requests[0])


def test_a_reminder_shows_the_exact_form(local: LocalEnvironment) -> None:
    cut = says("I will now think about this for a very long")
    assert isinstance(cut.body, dict)
    cut.body["choices"][0]["finish_reason"] = "length"
    with serve(says("I would run ls."), cut, says("", ("submit", {}))) as server:
        agent = DefaultAgent(make_model("small", {"model": {"base_url": server.url}}), local)
        agent.run(task="x")
    reminders = [message["content"] for message in agent.messages if message["role"] == "user"][1:]
    assert all(WRITTEN_CALL in reminder for reminder in reminders)
    assert reminders[1].startswith("Your answer was cut off because it was too long.")


def test_another_format_is_refused() -> None:
    with pytest.raises(UsageError, match="tool_format"):
        make_model("small", {"model": {"tool_format": "xml"}})
