"""`acp:COMMAND`: a program that speaks the Agent Client Protocol works as a member, and its failures are its own."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from cooperbench.agents.acp.rpc import RpcPeer
from cooperbench.agents.acp.updates import SessionUpdates
from cooperbench.agents.command_line.reports import ModelTurn, OtherEvent, ToolOutput, ToolUse
from cooperbench.agents.registry import check_config, describe
from cooperbench.errors import AgentError, UsageError
from cooperbench.records import Ending, EpisodeResult, Limits, Setting
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.replay import read_replay
from cooperbench.runner import RunRequest, make_plan, run

AGENT = (Path(__file__).parent / "acp_agent.py").read_text()
MODEL = {
    "members": {
        "agent1": [{"text": "thought", "cost": 0.25, "usage": {"input_tokens": 7}}] * 9,
        "agent2": [{"text": "thought", "cost": 0.25, "usage": {"input_tokens": 7}}] * 9,
    }
}


def played(folder: Path, *behaviours: str, **limits: float) -> EpisodeView:
    """Run a pair in which each member behaves in one way."""
    script = folder / "script.yaml"
    script.write_text(yaml.safe_dump(MODEL))
    members = [
        {
            "agent": f"acp:python3 -c {shlex.quote(AGENT)} {shlex.quote(behaviour)}",
            "model": f"scripted/{script}",
            "limits": {"wall_time": 10} if behaviour == "hangs" else {},
        }
        for behaviour in behaviours
    ]
    team = folder / "team.yaml"
    team.write_text(yaml.safe_dump({"members": members}))
    done = run(
        "-".join(behaviours).replace(" ", "-"),
        team=str(team),
        subset="demo",
        repo="shelfdb",
        features=(1, 2),
        auto_eval=False,
        limits=Limits.model_validate(limits),
        log_dir=folder / "logs",
    )
    return done.episodes[0]


def result_of(episode: EpisodeView) -> EpisodeResult:
    assert episode.result is not None
    return episode.result


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_requests_are_answered_in_the_sandbox_and_messages_are_the_next_prompt(tmp_path: Path) -> None:
    episode = played(tmp_path, "tells", "listens")
    members = result_of(episode).agents
    assert [member.ending for member in members.values()] == [Ending.SUBMITTED] * 2, members
    assert [(member.steps, member.cost) for member in members.values()] == [(1, 0.25)] * 2
    patch = episode.patch("agent1")
    assert "+y\n+2\n+3" in patch
    [found] = [line for line in patch.splitlines() if line.startswith("+[")]
    assert json.loads(found[1:]) == ["2\n", -32002, "hi\n/workspace/repo\n", 3, -32601, "thought", "coop"]
    assert "+> hello" in episode.patch("agent2")
    history = [entry.message for entry in episode.trajectory("agent2").messages]
    prompts = [message["content"] for message in history if message["role"] == "user"]
    assert prompts[1:] == ["Message from agent1:\n> hello\n\nMessage from harness:\n> agent1 has finished"]
    [turn] = [message for message in history if message.get("tool_calls")]
    assert turn["content"] == ""
    assert turn["tool_calls"][0]["function"]["name"] == "bash"
    assert {"event", "tool", "assistant"} <= {message["role"] for message in history}
    assert any(event.kind == "tool.result" for event in episode.events())
    log = (episode.directory / "agent2_logs" / "acp.jsonl").read_text()
    assert "starting up: not a message" in log

    again = run(
        "again", "replay:tells-listens", subset="demo", repo="shelfdb", features=(1, 2), auto_eval=False,
        log_dir=tmp_path / "logs",
    )  # fmt: skip
    [replayed] = again.episodes
    members = result_of(replayed).agents
    assert [(member.steps, member.cost) for member in members.values()] == [(1, 0.0)] * 2
    reports = [read_replay(replayed.files, Setting.COOP, member.features) for member in members.values()]
    assert [(report.played, report.outputs, report.same) for report in reports if report] == [(2, 1, True)] * 2
    assert replayed.patch("agent1") == patch


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_an_agent_that_crashes_and_one_that_spends_too_much(tmp_path: Path) -> None:
    members = result_of(played(tmp_path, "crashes", "spends", steps=3)).agents
    crashed, spent = members.values()
    assert crashed.ending is Ending.ERROR
    assert crashed.error is not None
    assert "exit code 7: out of luck" in crashed.error.message
    assert (spent.ending, spent.steps, spent.status) == (Ending.LIMIT, 3, "LimitsExceeded")


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_an_agent_that_hangs_and_one_that_refuses_the_session(tmp_path: Path) -> None:
    hung, refused = result_of(played(tmp_path, "hangs", "needs a login")).agents.values()
    assert hung.ending is Ending.TIMEOUT
    assert refused.ending is Ending.ERROR
    assert refused.error is not None
    assert refused.error.message == "session/new failed: Authentication required"


def test_garbage_is_kept_and_ends_nothing() -> None:
    sent: list[bytes] = []
    notices: list[str] = []
    peer = RpcPeer(sent.append, lambda method, parameters: None, lambda method, parameters: notices.append(method))
    for line in ("hello", "[]", "7", '{"half": ', '{"jsonrpc": "2.0"}', '{"id": 99, "result": {}}', '{"id": {}}'):
        peer.feed(line)
    peer.feed('{"method": "session/update", "params": 5}')
    assert notices == ["session/update"]
    assert peer.noise == 'hello\n[]\n7\n{"half": \n{"jsonrpc": "2.0"}\n'
    assert sent == []
    peer.end()
    with pytest.raises(AgentError, match="the program ended before it answered initialize"):
        peer.call("initialize", {})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"acp": {"envs": {}}}, "`acp.envs`.*did you mean 'env'"),
        ({"envs": {}}, "unknown section 'envs'"),
        ({"acp": {"layers": ["nothing_of_that_name"]}}, "the agent 'nothing_of_that_name' is not installed"),
        ({"model": {"tool_format": "text"}}, "`model.tool_format` cannot be set"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, object], message: str, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(yaml.safe_dump(MODEL))
    with pytest.raises(UsageError, match=message):
        check_config("acp:agent", f"scripted/{script}", config)


def test_the_command_is_part_of_the_name(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(yaml.safe_dump(MODEL))
    team = f'acp:"my-agent --acp, quietly":scripted/{script},nop'
    request = RunRequest(team=team, subset="demo", repo="shelfdb", features=(1, 2))
    first, second = make_plan(request).team
    assert (first.agent, first.model) == ("acp:my-agent --acp, quietly", f"scripted/{script}")
    assert second.agent == "nop"
    assert describe("acp:anything").origin == "built-in"
    with pytest.raises(UsageError, match="acp:COMMAND"):
        describe("acp")


def test_updates_come_in_pieces() -> None:
    updates = SessionUpdates()

    def read(what: str, /, **more: object) -> list[object]:
        return list(updates.read({"sessionUpdate": what, **more}))

    def text(words: str) -> dict[str, str]:
        return {"type": "text", "text": words}

    assert read("agent_thought_chunk", content=text("hm")) == []
    assert read("agent_message_chunk", content=text("one ")) == []
    assert read("tool_call", toolCallId="1", title="bash", kind="execute", status="pending") == []
    begun = read("tool_call_update", toolCallId="1", title="list", status="in_progress", rawInput={"command": "ls"})
    assert begun == [ModelTurn("one", "hm", (ToolUse("1", "bash", {"command": "ls"}),))]
    assert read("tool_call_update", toolCallId="1", status="in_progress", rawInput={"command": "ls"}) == []
    raw = {"output": "a\n", "metadata": {"exit": 3}}
    assert read("tool_call_update", toolCallId="1", status="failed", rawOutput=raw) == [
        ToolOutput("1", "a\n", failed=True, exit_code=3)
    ]
    diff = [{"type": "diff", "path": "a.py", "newText": "x"}]
    [turn, output] = read("tool_call", toolCallId="2", title="Edit a.py", kind="edit", status="completed", content=diff)
    assert turn == ModelTurn("", "", (ToolUse("2", "edit", {}),))
    assert output == ToolOutput("2", "changed a.py")
    assert read("brand_new", x=1) == [OtherEvent("brand_new", {"sessionUpdate": "brand_new", "x": 1})]
    assert read("agent_message_chunk", content=7) == []
    assert read("agent_message_chunk", content=text("end")) == []
    picture = {"type": "image", "data": "aGk="}
    assert read("agent_message_chunk", content=picture) == []
    assert list(updates.finish()) == [ModelTurn("end", "", (), others=(picture,))]
