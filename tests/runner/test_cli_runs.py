import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.runner import RunResult
from tests.command_line import cooperbench

Finished = Callable[..., RunResult]
RUN = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-a", "writes", "-n", "exp", "--no-auto-eval")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(surroundings: Path) -> None:
    said = cooperbench(*RUN, "--dry-run")
    assert said.code == 0
    assert "1 episode of 1 task: 1 new" in said.out
    assert "1 to run, at most $6.00 by the agents' cost limits" in said.out
    said = cooperbench(*RUN, "--dry-run", "--json")
    facts = said.facts
    assert (facts["to_run"], facts["resumed"], facts["config"]["backend"]) == (1, False, "local")
    assert not surroundings.exists()


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_run_is_listed_and_shown(surroundings: Path) -> None:
    said = cooperbench(*RUN)
    assert said.code == 0
    assert "1/1 episodes completed, not evaluated" in said.out
    assert f"record: {surroundings / 'exp'}" in said.out
    said = cooperbench("runs", "list")
    assert said.out.splitlines()[1].split() == [
        "exp",
        "unevaluated",
        "coop",
        "writes",
        "gpt-4o",
        "1/1",
        "0/0",
        "naive@1",
        "$0.50",
    ]
    said = cooperbench("runs", "show", "exp", "shelfdb_task/1/f1_f2")
    assert "agent1 (feature 1; writes with gpt-4o): submitted as 'Submitted' after 1 step, $0.2500, 1 line" in said.out
    said = cooperbench("runs", "show", "exp", "--json")
    [episode] = said.facts["episodes"]
    assert episode["result"]["status"] == "completed"
    said = cooperbench("runs", "watch", "exp")
    assert "1/1 episodes completed, not evaluated" in said.out
    said = cooperbench(*RUN, "--dry-run")
    assert "1 episode of 1 task: 1 finished" in said.out
    assert "(resumed)" in said.out
    said = cooperbench(*RUN, "--dry-run", "--force", "--max-cost", "3")
    assert "$0.50 of $3.00 spent so far" in said.out
    assert "1 to run, at most $6.00 by the agents' cost limits and $2.50 by --max-cost" in said.out
    assert "finished episodes whose results are discarded (--force): 1" in said.out


@pytest.mark.needs("sandbox")
def test_passwords_stay_out_of_the_recorded_command(surroundings: Path) -> None:
    said = cooperbench(*RUN, "--setting", "solo", "--redis", "redis://user:secret@127.0.0.1:1")
    assert said.code == 0
    config = (surroundings / "exp" / "config.json").read_text()
    assert "secret" not in config
    assert json.loads(config)["command"][-1] == "***"


@pytest.mark.needs("sandbox")
def test_one_broken_run_does_not_hide_the_others(finished: Finished, surroundings: Path) -> None:
    finished("exp", "writes")
    (surroundings / "broken").mkdir()
    (surroundings / "broken" / "config.json").write_text("{")
    said = cooperbench("runs", "list")
    assert said.code == 0
    assert said.out.splitlines()[1].startswith("exp ")


@pytest.mark.slow
@pytest.mark.needs("sandbox")
@pytest.mark.parametrize(
    ("flag", "value", "kind", "reached"),
    [
        ("--step-limit", "3", "steps", 3),
        ("--token-limit", "2500", "tokens", 3030),
        ("--cost-limit", "0.6", "cost", 0.75),
    ],
)
def test_a_limit_ends_each_member_within_one_call(
    surroundings: Path, flag: str, value: str, kind: str, reached: float
) -> None:
    call = {"name": "bash", "arguments": {"command": "echo more >> work.txt"}}
    turn = {"tool_calls": [call], "cost": 0.25, "usage": {"input_tokens": 1000, "output_tokens": 10}}
    Path("script.json").write_text(json.dumps({"members": {"agent1": [turn] * 9, "agent2": [turn] * 9}}))
    where = (
        "-n",
        "limited",
        "-s",
        "demo",
        "-r",
        "shelfdb",
        "-f",
        "1,2",
        "--no-auto-eval",
        "--log-dir",
        str(surroundings),
    )
    said = cooperbench("run", *where, "-m", "scripted/script.json", flag, value)
    assert said.code == 0
    [file] = surroundings.rglob("result.json")
    for member in json.loads(file.read_text())["agents"].values():
        assert member["ending"] == "limit"
        assert member["limit"] == {"kind": kind, "value": reached, "limit": float(value)}
        assert (member["steps"], member["patch_lines"]) == (3, 3)


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_broken_files_of_an_episode_are_named(finished: Finished, surroundings: Path) -> None:
    finished("exp", "writes")
    folder = surroundings / "exp" / "coop" / "shelfdb_task" / "1" / "f1_f2"
    (folder / "conversation.json").write_text("[{")
    said = cooperbench("runs", "show", "exp", "shelfdb_task/1/f1_f2")
    assert "conversation.json cannot be read" in said.out
    (folder / "agent1.patch").unlink()
    said = cooperbench("runs", "show", "exp", "shelfdb_task/1/f1_f2")
    assert "agent1.patch is missing; it will be rerun" in said.out
