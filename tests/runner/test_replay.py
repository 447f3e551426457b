"""`-a replay:RUN`: recorded answers are played again in fresh sandboxes, and differences are reported."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cooperbench.agents.replay.comparison import compare
from cooperbench.errors import UsageError
from cooperbench.records.replay import read_replay
from cooperbench.runner import RunResult, run
from tests.command_line import cooperbench

SCRIPT = {
    "members": {
        "agent1": [
            {"tool_calls": [{"name": "bash", "arguments": {"command": "echo same; echo a > new.txt"}}], "cost": 0.5},
            {"tool_calls": [{"name": "bash", "arguments": {"command": "cat /proc/sys/kernel/random/uuid"}}]},
            {"tool_calls": [{"name": "send_message", "arguments": {"to": "agent2", "message": "done"}}]},
            {"tool_calls": [{"name": "submit"}]},
        ],
        "agent2": [
            {"wait_for_message": {"from": "agent1"}},
            {"tool_calls": [{"name": "bash", "arguments": {"command": "exit 3"}}], "cost": 0.25},
            {"tool_calls": [{"name": "bash", "arguments": {"command": "false"}}]},
        ],
    }
}
TASK = ("-s", "demo", "-r", "shelfdb", "-f", "1,2")


@pytest.fixture
def recorded(surroundings: Path) -> RunResult:
    """A run in which agent2 was stopped by the limit of steps."""
    script = surroundings.parent / "script.yaml"
    script.write_text(yaml.safe_dump(SCRIPT))
    return _run("first", "mini_swe_agent", surroundings, model_name=f"scripted/{script}", limits={"steps": 4})


def _run(name: str, agent: str, logs: Path, **more: object) -> RunResult:
    from cooperbench.records import Limits

    if "limits" in more:
        more["limits"] = Limits.model_validate(more["limits"])
    return run(name, agent, subset="demo", repo="shelfdb", features=(1, 2), auto_eval=False, log_dir=logs, **more)  # type: ignore[arg-type]


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_run_is_played_again_at_no_cost(recorded: RunResult, surroundings: Path) -> None:
    first = recorded.episodes[0]
    assert first.result is not None
    [episode] = _run("again", "replay:first", surroundings).episodes
    assert episode.result is not None
    members = episode.result.agents
    assert [(member.model, member.cost, member.steps) for member in members.values()] == [
        ("recorded", 0.0, 4),
        ("recorded", 0.0, 3),
    ]
    assert episode.patch("agent1") == first.patch("agent1") != ""
    assert [message.message for message in episode.conversation] == ["done"]
    reports = [read_replay(episode.files, episode.result.setting, member.features) for member in members.values()]
    one, other = reports
    assert one is not None
    assert other is not None
    assert (one.run, one.agent, one.answers, one.played, one.outputs, one.different) == (
        "first",
        "mini_swe_agent",
        4,
        4,
        3,
        1,
    )
    assert one.first is not None
    assert (one.first.step, one.first.command) == (2, "cat /proc/sys/kernel/random/uuid")
    assert one.first.recorded != one.first.replayed
    assert (other.answers, other.different, other.same) == (3, 0, True)

    said = cooperbench("runs", "show", "again", "--log-dir", str(surroundings))
    assert "replayed: 7 of 7 answers played, 1 of 5 outputs different" in said.out
    assert "first difference: agent1 in shelfdb_task/1/f1_f2 at step 2" in said.out
    said = cooperbench("runs", "show", "again", "shelfdb_task/1/f1_f2", "--log-dir", str(surroundings))
    assert f"recorded: {one.first.recorded}" in said.out
    facts = cooperbench("runs", "show", "again", "shelfdb_task/1/f1_f2", "--json", "--log-dir", str(surroundings)).facts
    assert [report["different"] for report in facts["replays"]] == [1, 0]

    _refusals(surroundings)


def _refusals(logs: Path) -> None:
    """Type what cannot be replayed; each answer is one line and what to type."""

    def refused(*words: str) -> str:
        said = cooperbench("run", "--log-dir", str(logs), *words)
        assert said.code == 2
        assert said.out == ""
        assert said.err.count("\n") <= 2
        return said.err

    right = "run -a replay:first -s demo -r shelfdb_task -t 1 -f 1,2 --setting coop"
    assert "did you mean 'first'?" in refused("-a", "replay:frist", *TASK)
    assert "replay:RUN" in refused("-a", "replay", *TASK)
    assert right in refused("-a", "replay:first", "-s", "demo", "-r", "ledgerkit", "-f", "4,5")
    assert "setting coop, and this one has setting solo" in refused("-a", "replay:first", *TASK, "--setting", "solo")
    assert right in refused("-a", "replay:first", *TASK, "--git")
    trajectory = logs / "first/coop/shelfdb_task/1/f1_f2/agent2_traj.json"
    history = json.loads(trajectory.read_text())
    trajectory.write_text(json.dumps({**history, "messages": []}))
    assert "agent2 in shelfdb_task/1/f1_f2 of run 'first' recorded no answer" in refused("-a", "replay:first", *TASK)
    trajectory.unlink()
    assert "agent2_traj.json" in refused("-a", "replay:first", *TASK)
    assert "history of agent2" not in refused("--team", "replay:first,nap", *TASK)


@pytest.mark.needs("sandbox")
def test_an_agent_without_answers_cannot_be_replayed(finished: Callable[..., RunResult], surroundings: Path) -> None:
    finished("silent", "nop")
    with pytest.raises(UsageError, match="the agent nop of run 'silent' cannot play recorded answers"):
        _run("again", "replay:silent", surroundings)


@pytest.mark.parametrize(
    ("recorded", "replayed", "different"),
    [
        ("exit code: 0\n3 passed in 0.12s", "exit code: 0\n3 passed in 1.5s", 0),
        ("exit code: 0\n3 passed in 0.12s", "exit code: 1\n3 passed in 0.12s", 1),
        ("[main 1a2b3c4] work", "[main 9f8e7d6] work", 0),
        ("<object at 0x7f01>", "<object at 0x7fff>", 0),
        ("2026-01-02 03:04:05 ok", "2026-01-03 04:05:06 ok", 0),
        ("Date: Mon Jan 5 10:00:00 2026", "Date: Tue Feb 6 11:30:00 2026", 0),
        ("facade", "decade", 1),
        ("one", "one\ntwo", 1),
    ],
)
def test_only_what_a_command_decides_is_compared(recorded: str, replayed: str, different: int) -> None:
    def history(output: str) -> list[dict[str, object]]:
        call = {"id": "1", "function": {"name": "bash", "arguments": '{"command": "try it"}'}}
        return [
            {"role": "user", "content": "task"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": output},
            {"role": "user", "content": "hello", "extra": {"senders": ["agent2"]}},
            {"role": "assistant", "content": "text"},
        ]

    found = compare(history(recorded), history(replayed))
    assert (found.answers, found.played, found.outputs, found.different) == (2, 2, 1, different)
    assert (found.first is not None) == bool(different)
    if found.first is not None:
        assert (found.first.step, found.first.command) == (1, "try it")
    assert compare(history(recorded), []).played == 0
