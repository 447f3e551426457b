import json
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from cooperbench.agents import Budget, activate_budget
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.connectors import MessagingConnector
from cooperbench.agents.mini_swe_agent.models import ModelConfig, ScriptedModel, make_model
from cooperbench.collaboration import presence
from cooperbench.collaboration.broker import Broker
from cooperbench.environments import LocalEnvironment
from cooperbench.errors import ModelOverloadedError, SandboxLostError, UsageError
from cooperbench.records import Ending, Limits
from tests.agents.standin_llm import Answer, fails, says, serve

SUBMIT = {"tool_calls": [{"name": "submit"}]}


def bash(command: str, **more: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": "bash", "arguments": {"command": command, **more}}]}


def played(env: Any, *turns: dict[str, Any], **settings: Any) -> tuple[str, DefaultAgent]:
    agent = DefaultAgent(ScriptedModel(turns), env, **settings)
    status, _ = agent.run(task="Change the answer.")
    return status, agent


def results(agent: DefaultAgent) -> list[str]:
    return [message["content"] for message in agent.messages if message["role"] == "tool"]


def check_protocol(messages: Sequence[dict[str, Any]]) -> None:
    """What providers demand: known roles, every call answered by the very next messages, nothing in between."""
    open_calls: list[str] = []
    for message in messages:
        assert message["role"] in {"system", "user", "assistant", "tool"}
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls, f"a {message['role']} message between calls and their results"
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
    assert not open_calls


def test_a_script_works_in_a_real_sandbox_and_submits(local: LocalEnvironment) -> None:
    status, agent = played(
        local,
        {"text": "I look.", **bash("cat answer.py")},
        bash("sed -i s/42/43/ answer.py && python3 answer.py"),
        SUBMIT,
    )
    assert status == "Submitted"
    assert local.execute("git diff --stat")["output"].strip().startswith("answer.py")
    assert results(agent) == [
        "exit code: 0\ndef answer():\n    return 42\n",
        "exit code: 0\n(no output)",
        "Submitted.",
    ]
    assert [message["role"] for message in agent.messages[:2]] == ["system", "user"]
    assert agent.messages[1]["content"] == "Change the answer."
    check_protocol(agent.messages)
    times = [datetime.fromisoformat(message["extra"]["timestamp"]) for message in agent.messages]
    assert times == sorted(times)
    assert all(moment.utcoffset() is not None for moment in times)


def test_calls_that_cannot_be_read_are_answered_with_what_is_wrong(local: LocalEnvironment) -> None:
    calls = [
        ("bash", "{not json"),
        ("bash", {}),
        ("bash", {"command": ["ls"]}),
        ("bash", {"command": "ls", "cwd": "/"}),
        ("bash", "[1]"),
        ("edit", {"file": "x"}),
        ("send_message", {"to": "agent2", "message": "x"}),
        ("bash", {"command": "echo fine"}),
    ]
    turn = {"tool_calls": [{"name": name, "arguments": given} for name, given in calls]}
    _, agent = played(local, turn, SUBMIT)
    texts = results(agent)
    for text, part in zip(
        texts,
        [
            "not JSON",
            "needs command",
            "must be a string",
            "no argument 'cwd'",
            "JSON object",
            "no tool 'edit'",
            "no tool",
            "fine",
        ],
        strict=False,
    ):
        assert part in text
    assert "The tools are: bash, submit." in texts[6], "without a team there is no trace of one"
    check_protocol(agent.messages)


def test_a_model_that_calls_no_tool_is_reminded_and_then_given_up(local: LocalEnvironment) -> None:
    chat = {"text": "I would now run ls."}
    status, agent = played(local, chat, chat, bash("true"), chat, chat, chat, unread_limit=3)
    assert status == "RepeatedFormatError"
    assert agent.n_calls == 6
    assert sum("no tool call" in str(message["content"]) for message in agent.messages) == 5
    check_protocol(agent.messages)


def test_nothing_runs_after_submit_in_the_same_answer(local: LocalEnvironment) -> None:
    turn = {"tool_calls": [{"name": "submit"}, {"name": "bash", "arguments": {"command": "touch late"}}]}
    status, agent = played(local, turn)
    assert status == "Submitted"
    assert "Not run" in results(agent)[1]
    assert local.execute("ls late")["returncode"] != 0
    check_protocol(agent.messages)


def test_a_command_that_takes_too_long_is_ended_and_said(local: LocalEnvironment) -> None:
    _, agent = played(local, bash("echo begun; sleep 60", timeout=2), SUBMIT)
    assert results(agent)[0].startswith("exit code: 124\nThe command was ended because it took too long")
    assert "begun" in results(agent)[0]
    assert agent.messages[3]["extra"]["timed_out"] is True


def test_long_output_keeps_its_head_and_tail(local: LocalEnvironment) -> None:
    _, agent = played(local, bash("seq 1 20000"), SUBMIT, observation_limit=1000)
    text = results(agent)[0]
    assert len(text) < 1200
    assert text.startswith("exit code: 0\n1\n2\n3\n")
    assert text.endswith("19999\n20000\n")
    assert "characters left out" in text


@pytest.mark.parametrize(
    ("limits", "kind"), [({"steps": 2}, "steps"), ({"cost": 0.5}, "cost"), ({"tokens": 25}, "tokens")]
)
def test_a_limit_ends_the_work_with_the_history_intact(
    local: LocalEnvironment, limits: dict[str, Any], kind: str
) -> None:
    turn = {**bash("true"), "cost": 0.25, "usage": {"input_tokens": 10, "output_tokens": 3}}
    agent = DefaultAgent(ScriptedModel([turn] * 9), local)
    given = Limits.model_validate({"steps": None, "tokens": None, "cost": None, **limits})
    with activate_budget(Budget(given)):
        status, info = agent.run(task="Go on for ever.")
    assert status == "LimitsExceeded"
    assert info["limit"]["kind"] == kind
    assert agent.n_calls == 2
    check_protocol(agent.messages)


def test_the_agent_has_a_limit_of_its_own(local: LocalEnvironment) -> None:
    status, agent = played(local, *[bash("true")] * 5, max_iterations=3)
    assert (status, agent.n_calls) == ("LimitsExceeded", 3)


def test_a_lost_sandbox_is_not_the_agents_failure(local: LocalEnvironment) -> None:
    agent = DefaultAgent(ScriptedModel([bash("true")]), local)
    local.cleanup()
    with pytest.raises(SandboxLostError):
        agent.run(task="x")


def test_a_provider_that_stays_away_is_not_the_agents_failure(local: LocalEnvironment) -> None:
    config = ModelConfig(model_name="scripted", retries=2, retry_wait=0.001)
    agent = DefaultAgent(ScriptedModel([{"error": 503}] * 3, config), local)
    with pytest.raises(ModelOverloadedError):
        agent.run(task="x")


def test_wrong_settings_are_said() -> None:
    with pytest.raises(UsageError, match=r"agent\.step_limit"):
        DefaultAgent(ScriptedModel([]), None, step_limit=3)
    agent = DefaultAgent(ScriptedModel([]), None, task_prompt="{{ no_such }}")
    with pytest.raises(UsageError, match="task_prompt"):
        agent.run(task="x")


def test_templates_are_configurable_and_the_task_is_never_one(local: LocalEnvironment) -> None:
    agent = DefaultAgent(ScriptedModel([SUBMIT]), local, system_prompt="You are {{ agent_id }}.", agent_id="agent7")
    agent.run(task="Implement {{ mustache }} support.")
    assert agent.messages[0]["content"] == "You are agent7."
    assert agent.messages[1]["content"] == "Implement {{ mustache }} support."


class Reading(ScriptedModel):
    """Keeps what it was given to read."""

    def __init__(self, turns: Sequence[dict[str, Any]], **settings: Any) -> None:
        super().__init__(turns)
        self.read: list[list[dict[str, Any]]] = []

    def query(self, messages: list[dict[str, Any]], *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.read.append(messages)
        return super().query(messages, *args, **kwargs)


def test_a_long_history_is_shortened_without_losing_the_task(local: LocalEnvironment) -> None:
    turns = [{"text": f"step {number}", **bash(f"seq {number}000 {number}900")} for number in range(40)]
    model = Reading([*turns, SUBMIT])
    agent = DefaultAgent(model, local, history_limit=8_000)
    status, _ = agent.run(task="The task that must not be lost.")
    assert status == "Submitted"
    assert len(agent.messages) == 2 + 2 * 41, "the record keeps everything"
    cuts = 0
    for view in model.read:
        assert view[1]["content"] == "The task that must not be lost."
        assert len(json.dumps([message.get("content") for message in view])) < 8_000 * 4.5
        check_protocol(view)
        cuts += "shortened" in str(view[2].get("content")) if len(view) > 2 else 0
    assert cuts > 10
    assert "step 0" in model.read[15][2]["content"] or "step 1" in model.read[15][2]["content"]
    digests = {view[2]["content"] for view in model.read if len(view) > 2}
    assert len(digests) < 15, "the cut moves seldom, so that the provider's cache is of use"


def test_too_long_for_the_model_is_answered_by_shortening(local: LocalEnvironment) -> None:
    turns: list[dict[str, Any]] = [bash(f"seq {number}000 {number}900") for number in range(6)]
    model = Reading([*turns, {"error": "context_window"}, bash("true"), SUBMIT])
    agent = DefaultAgent(model, local)
    assert agent.run(task="Long.")[0] == "Submitted"
    before, after = model.read[6], model.read[7]
    assert len(str(after)) < len(str(before))


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_history_is_cut_to_the_window_even_within_one_result(local: LocalEnvironment, named: bool) -> None:
    """A server with room for 3000 characters, which names its window or does not."""
    lengths: list[int] = []

    def small(request: dict[str, Any]) -> Answer:
        given = [message for message in request["messages"] if message["role"] != "system"]
        lengths.append(len(json.dumps(given)))
        if lengths[-1] > 3000:
            numbers = f"request ({lengths[-1] // 3} tokens) exceeds the available context size (1000 tokens)"
            return fails(400, numbers if named else "Context size has been exceeded.")
        return says(None, ("submit", {})) if len(given) > 2 else says(None, ("bash", {"command": "seq 1 2000"}))

    with serve(small) as server:
        agent = DefaultAgent(make_model("small", {"model": {"base_url": server.url, "retries": 0}}), local)
        assert agent.run(task="The task.")[0] == "Submitted"
    assert lengths[-1] <= 3000
    assert len(lengths) < 12
    assert len(results(agent)[0]) > 3000, "the record keeps everything"


def test_nothing_that_a_model_writes_ends_the_work(local: LocalEnvironment, mailboxes: dict[str, str]) -> None:
    nasty = [
        ("bash", '{"command": "echo \\ud83d", "timeout": 1e999}'),
        ("bash", '{"command": "echo \\ud83d > half.txt"}'),
        ("bash", '{"command": "echo \\u0000"}'),
        ("bash", '{"command": "true", "timeout": -1e8}'),
        ("bash", '{"command": "true", "timeout": ' + "9" * 5000 + "}"),
        ("bash", '{"command": ' + "[" * 5000),
        ("bash", '{"command": "' + "x" * 300_000 + '"}'),
        ("send_message", '{"to": "agent2", "message": "half \\udc00"}'),
        ("send_message", '{"to": "\\ud83d", "message": "x"}'),
        ("send_message", '{"to": "agent2", "message": "' + "x" * 300_000 + '"}'),
        ("wait_for_message", '{"from": "\\ud83d", "timeout": 0}'),
        ("wait_for_message", '{"timeout": NaN}'),
        ("\ud83d", "{}"),
    ]
    turns = [{"tool_calls": [{"name": name, "arguments": given}]} for name, given in nasty]
    with MessagingConnector("agent1", ["agent1", "agent2"], mailboxes["agent1"]) as comm:
        agent = DefaultAgent(ScriptedModel([*turns, SUBMIT]), local, comm, "agent1", unread_limit=20)
        assert agent.run(task="x")[0] == "Submitted"
    assert len(results(agent)) == len(nasty) + 1
    check_protocol(agent.messages)


def test_teammates_talk_between_steps_never_within_one(image: str, mailboxes: dict[str, str]) -> None:
    first: list[dict[str, Any]] = [
        bash("true"),
        {
            "tool_calls": [
                {"name": "send_message", "arguments": {"to": "agent2", "message": 'I take "f(x)"; you?\n$HOME'}}
            ]
        },
        {"wait_for_message": {"from": "agent2", "timeout": 20}},
        {"tool_calls": [{"name": "send_message", "arguments": {"to": "nobody", "message": "?"}}]},
        SUBMIT,
    ]
    second: list[dict[str, Any]] = [
        {"wait_for_message": {"from": "agent1", "timeout": 20}},
        {"tool_calls": [{"name": "send_message", "arguments": {"to": "all", "message": "I take g."}}]},
        SUBMIT,
    ]
    agents = run_team(image, mailboxes, {"agent1": first, "agent2": second})
    assert 'Message from agent1:\n> I take "f(x)"; you?\n> $HOME' in shown(agents["agent2"])
    assert "Message from agent2:\n> I take g." in shown(agents["agent1"])
    assert "Delivered to agent2." in results(agents["agent1"])
    assert "agent1: delivered" in results(agents["agent2"])
    assert "no teammate 'nobody'" in results(agents["agent1"])[3]
    assert [agent.n_calls for agent in agents.values()] == [5, 3], (
        "the number of steps does not depend on who was faster"
    )
    assert agents["agent1"].sent_messages[0]["to"] == "agent2"
    for agent in agents.values():
        check_protocol(agent.messages)


def run_team(
    image: str, mailboxes: dict[str, str], scripts: dict[str, list[dict[str, Any]]]
) -> dict[str, DefaultAgent]:
    agents: dict[str, DefaultAgent] = {}

    def work(name: str) -> None:
        with LocalEnvironment(image) as local, MessagingConnector(name, list(scripts), mailboxes[name]) as comm:
            agents[name] = DefaultAgent(model=ScriptedModel(scripts[name]), env=local, comm=comm, agent_id=name)
            agents[name].run(task="Work together.")

    threads = [threading.Thread(target=work, args=(name,)) for name in scripts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return dict(sorted(agents.items()))


def shown(agent: DefaultAgent) -> str:
    return "\n\n".join(str(message["content"]) for message in agent.messages if message["role"] in {"user", "tool"})


def test_a_message_that_came_early_is_put_in_before_the_model_is_asked(
    local: LocalEnvironment, mailboxes: dict[str, str]
) -> None:
    names = ["agent1", "agent2"]
    with MessagingConnector("agent1", names, mailboxes["agent1"]) as mate:
        mate.send("agent2", "early")
    model = ScriptedModel([{"wait_for_message": {"from": "agent1", "timeout": 60}}, SUBMIT])
    with MessagingConnector("agent2", names, mailboxes["agent2"]) as comm:
        agent = DefaultAgent(model, local, comm, "agent2")
        agent.run(task="x")
    assert agent.messages[2]["content"] == "Message from agent1:\n> early"
    assert agent.messages[2]["extra"]["senders"] == ["agent1"]
    assert results(agent)[0] == "No new message from agent1 within 0 seconds."
    check_protocol(agent.messages)


def test_nobody_waits_for_a_teammate_who_is_gone(
    local: LocalEnvironment, broker: Broker, mailboxes: dict[str, str], request: pytest.FixtureRequest
) -> None:
    presence.mark_finished(broker.episode_url(request.node.name), "agent1", Ending.CRASH, None)
    wait = {"tool_calls": [{"name": "wait_for_message", "arguments": {"from": "agent1", "timeout": 60}}]}
    send = {"tool_calls": [{"name": "send_message", "arguments": {"to": "agent1", "message": "still there?"}}]}
    with MessagingConnector("agent2", ["agent1", "agent2"], mailboxes["agent2"]) as comm:
        agent = DefaultAgent(ScriptedModel([wait, send, SUBMIT]), local, comm, "agent2")
        assert agent.run(task="x")[0] == "Submitted"
    assert "agent1" in results(agent)[0]
    assert "not delivered" in results(agent)[1]


def test_an_agent_alone_reads_nothing_of_a_team(local: LocalEnvironment) -> None:
    alone = Reading([SUBMIT])
    agent = DefaultAgent(alone, local, agent_id="solo")
    agent.run(task="Change the answer.")
    offered = json.dumps([tool.definition() for tool in agent.tools]) + json.dumps(agent.messages[0]["content"])
    assert [tool.name for tool in agent.tools] == ["bash", "submit"]
    for trace in ("teammate", "colleague", "send_message", "agent1", "agent2", "origin"):
        assert trace not in offered
