"""Parts written for mini-swe-agent in our loop, and ours in its loop. The classes here follow its published protocols."""

import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents import AgentArguments, Budget, activate_budget, get_runner, run_agent
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.models import ScriptedModel
from cooperbench.agents.mini_swe_agent_v2 import MiniEnvironment
from cooperbench.agents.registry import check_config
from cooperbench.environments import LocalEnvironment
from cooperbench.errors import MissingExtraError, UsageError
from cooperbench.records import Limits
from tests.agents.standin_llm import fails, says, serve

SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class InterruptError(Exception):
    """As that package ends or mends a turn: with messages to append."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        super().__init__()
        self.messages = messages


class TextModel:
    """A model without tool calls: a command in each answer, results as user messages."""

    config: Any = None

    def __init__(self, *commands: str) -> None:
        self.commands = list(commands)
        self.read: list[list[dict[str, Any]]] = []

    def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> dict[str, Any]:
        self.read.append(list(messages))
        command = self.commands.pop(0)
        if command == "garbage":
            raise InterruptError({"role": "user", "content": "Format error.", "extra": {"cost": 0.5}})
        return self.format_message(
            role="assistant", content=f"```bash\n{command}\n```", extra={"actions": [{"command": command}], "cost": 0.5}
        )

    def format_message(self, **kwargs: Any) -> dict[str, Any]:
        return kwargs

    def format_observation_messages(
        self, message: dict[str, Any], outputs: list[dict[str, Any]], template_vars: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        return [{"role": "user", "content": f"<output>{output['output']}</output>"} for output in outputs]

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        return {}

    def serialize(self) -> dict[str, Any]:
        return {}


class PlainEnvironment:
    """An environment of that package: actions are dictionaries, the end is an exception."""

    config: Any = None

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    def execute(self, action: dict[str, Any], cwd: str = "") -> dict[str, Any]:
        if action["command"] == SUBMIT:
            raise InterruptError(
                {"role": "exit", "content": "", "extra": {"exit_status": "Submitted", "submission": ""}}
            )
        done = subprocess.run(
            action["command"], shell=True, cwd=cwd or self.cwd, capture_output=True, text=True, check=False
        )
        return {"output": done.stdout + done.stderr, "returncode": done.returncode, "exception_info": ""}

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        return {}

    def serialize(self) -> dict[str, Any]:
        return {}


def test_a_model_of_that_package_works_in_our_loop(local: LocalEnvironment) -> None:
    model = TextModel("cat answer.py", "garbage", "sed -i s/42/43/ answer.py", SUBMIT)
    agent = DefaultAgent(model, local)
    with activate_budget(Budget(Limits(cost=10.0))) as budget:
        assert agent.run(task="Change it.")[0] == "Submitted"
    assert "return 43" in local.read_file("answer.py").decode()
    assert (budget.steps, budget.usage.cost) == (4, 2.0)
    assert SUBMIT in agent.messages[0]["content"]
    assert {message["role"] for message in agent.messages} == {"system", "user", "assistant"}
    assert model.read[1][-1]["content"].startswith("<output>def answer")


def test_the_budget_holds_for_it(local: LocalEnvironment) -> None:
    agent = DefaultAgent(TextModel(*["true"] * 9), local)
    with activate_budget(Budget(Limits(steps=3))):
        status, info = agent.run(task="x")
    assert (status, info["limit"]["kind"], agent.n_calls) == ("LimitsExceeded", "steps", 3)


def test_an_environment_of_that_package_works_in_our_loop(tmp_path: Path) -> None:
    turns: list[dict[str, Any]] = [
        {"tool_calls": [{"name": "bash", "arguments": {"command": "echo hello > file; cat file"}}]},
        {"tool_calls": [{"name": "submit"}]},
    ]
    agent = DefaultAgent(ScriptedModel(turns), PlainEnvironment(tmp_path))
    assert agent.run(task="x")[0] == "Submitted"
    assert agent.messages[3]["content"] == "exit code: 0\nhello\n"
    both = DefaultAgent(TextModel("ls", SUBMIT), PlainEnvironment(tmp_path))
    assert both.run(task="x")[0] == "Submitted"


def test_our_parts_follow_its_protocols(local: LocalEnvironment) -> None:
    """The steps of its loop, as published: query, execute each action, format the observations."""
    turns: list[dict[str, Any]] = [
        {"tool_calls": [{"name": "bash", "arguments": {"command": "echo one"}}, {"name": "edit", "arguments": {}}]},
        {"text": "no call"},
        {"tool_calls": [{"name": "bash", "arguments": {"command": SUBMIT}}]},
    ]
    model, mini = ScriptedModel(turns), MiniEnvironment(local, InterruptError)
    messages = [model.format_message(role="user", content="Do it.")]
    for _ in range(2):
        message = model.query(messages)
        outputs = [mini.execute(action) for action in message["extra"]["actions"]]
        messages += [message, *model.format_observation_messages(message, outputs, mini.get_template_vars())]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert messages[2]["content"] == "exit code: 0\none\n"
    assert "no tool 'edit'" in messages[3]["content"]
    with pytest.raises(InterruptError) as caught:
        mini.execute(model.query(messages)["extra"]["actions"][0])
    assert caught.value.messages[0]["extra"]["exit_status"] == "Submitted"
    assert mini.execute({"command": "echo x; echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"})["returncode"] == 0
    assert mini.get_template_vars()["system"] == "Linux"
    assert set(mini.serialize()["info"]["config"]) == {"environment", "environment_type"}


installed = find_spec("minisweagent") is not None


@pytest.mark.skipif(installed, reason="mini-swe-agent is installed")
def test_without_the_package_the_extra_is_named(image: str) -> None:
    with pytest.raises(MissingExtraError, match="mini"):
        run_agent(get_runner("mini_swe_agent_v2"), AgentArguments(task="x", image=image, config={"backend": "local"}))


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason="the extra `mini` (683 MB) is not installed")
@pytest.mark.parametrize("kind", ["scripted", "http", "served"])
def test_the_published_package_runs_unchanged(
    kind: str, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    calls = [{"command": "sed -i s/42/43/ answer.py; cat answer.py"}, {"command": SUBMIT}]
    script = tmp_path / "script.json"
    turns = ", ".join(
        f'{{"tool_calls": [{{"name": "bash", "arguments": {{"command": "{call["command"]}"}}}}], "cost": 0.5}}'
        for call in calls
    )
    script.write_text(f'{{"members": {{"agent": [{turns}]}}}}')
    with serve(fails(429, "slow down"), *(says("", ("bash", call)) for call in calls)) as server:
        config: dict[str, Any] = {"backend": "local"}
        if kind != "scripted":
            address = {"base_url": server.url} if kind == "served" else {"model_kwargs": {"api_base": server.url}}
            config["model"] = {**address, "retry_wait": 0.01}
        name = f"scripted/{script}" if kind == "scripted" else "openai/unheard-of"
        arguments = AgentArguments(task="Change it.", image=image, model_name=name, config=config)
        result = run_agent(get_runner("mini_swe_agent_v2"), arguments)
    assert (result.status, result.steps) == ("Submitted", 2)
    assert "+    return 43" in result.patch
    assert result.cost == (1.0 if kind == "scripted" else None)
    assert result.input_tokens == (0 if kind == "scripted" else 2000)
    answers = [message for message in result.messages if message["role"] == "assistant"]
    assert [message["extra"]["cost"] for message in answers] == [0.5 if kind == "scripted" else None] * 2
    assert all("drop_params" not in request for request in server.requests)


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason="the extra `mini` (683 MB) is not installed")
def test_nothing_that_a_model_writes_ends_the_published_package(image: str) -> None:
    odd: list[Any] = [
        '{"command": "echo \\u0000"}',
        '{"command": "echo \\ud83d"}',
        '{"command": null}',
        '{"command": ["ls"]}',
        '{"command": {}}',
    ]
    answers = [says("x \ud83d", ("bash", arguments)) for arguments in odd]
    with serve(*answers, says("", ("bash", {"command": SUBMIT}))) as server:
        config = {"backend": "local", "model": {"base_url": server.url}}
        arguments = AgentArguments(task="Change it.", image=image, model_name="unheard-of", config=config)
        result = run_agent(get_runner("mini_swe_agent_v2"), arguments)
    assert (result.status, result.steps) == ("Submitted", len(odd) + 1)


@pytest.mark.skipif(not installed, reason="the extra `mini` (683 MB) is not installed")
def test_the_published_package_that_gives_up_has_not_submitted(image: str) -> None:
    with serve(says("I will not.")) as server:
        config = {"backend": "local", "model": {"base_url": server.url}}
        arguments = AgentArguments(task="Change it.", image=image, model_name="unheard-of", config=config)
        result = run_agent(get_runner("mini_swe_agent_v2"), arguments)
    assert (result.status, result.error) == ("RepeatedFormatError", "the agent gave up: RepeatedFormatError")
    assert result.steps == 3


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"temprature": 0.2}, "does not know `model.temprature`; did you mean 'temperature'"),
        ({"tool_format": "text"}, "does not know `model.tool_format`"),
        ({"model_class": "litellm_response", "base_url": "http://localhost:1/v1"}, "cannot keep `model.base_url`"),
        ({"base_url": "localhost:1"}, "not the URL"),
    ],
)
def test_the_published_package_refuses_what_it_cannot_keep(section: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        check_config("mini_swe_agent_v2", "some-model", {"model": section})
