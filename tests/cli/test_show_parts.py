"""Steps, patches and tests of one episode in the terminal: the same facts for people and for agents that read them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Said, cooperbench

RECORDS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"
EPISODE = "parts_task/1/f1_f2"
KEY = "sk-" + "a1B2" * 8
LONG = "\n".join(f"line {number}" for number in range(40))


def show(*options: str, episode: str = EPISODE, logs: Path = RECORDS) -> Said:
    return cooperbench("runs", "show", "pairs", episode, *options, "--log-dir", str(logs))


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """The same run with a step that failed, a long output with a key in it, and a failing test."""
    shutil.copytree(RECORDS, tmp_path, dirs_exist_ok=True)
    episode = tmp_path / "pairs" / "coop" / EPISODE

    def step(trajectory: Any) -> None:
        answer = next(each["message"] for each in trajectory["messages"] if each["message"]["role"] == "tool")
        answer |= {"content": f"exit code: 3\n{KEY}\n{LONG}", "extra": {"returncode": 3}}

    def tests(evaluation: Any) -> None:
        suite = evaluation["stages"][0]["suites"][1]
        test = suite["tests"][0] | {"status": "failed", "output": "assert 1 == 2"}
        suite |= {"outcome": "tests_failed", "tests": [test], "failed": [test["name"], "tests/test_gone.py::test_gone"]}

    edit(episode / "agent1_traj.json", step)
    edit(episode / "eval.json", tests)
    return tmp_path


def test_a_member_is_shown_step_by_step() -> None:
    said = show("--agent", "agent1")
    assert said.code == 0
    assert "agent1 (feature 1; mini_swe_agent with scripted/script.yaml): submitted after 2 steps" in said.out
    assert "    $ printf 'NUMBER = 1\\n' > part1.py; git add -A" in said.out
    assert "    | delivered to agent2" in said.out
    assert "agent2.1 at" not in said.out
    assert "1 at 2.0 s: agent1 to agent2 (read 0.4 s later)" in said.out
    assert "prompt:" not in said.out


def test_with_text_nothing_is_cut(failed: Path) -> None:
    short = show("--agent", "agent1", logs=failed).out
    assert "(35 lines left out; --text prints them)" in short
    assert "    | line 39" in short
    assert "    | line 20" not in short
    whole = show("--text", logs=failed).out
    assert all(f"    | line {number}\n" in whole for number in range(40))
    assert "left out" not in whole
    assert "agent2.1 at" in whole
    assert "  prompt:\n    | " in whole


def test_errors_only_shows_what_went_wrong(failed: Path) -> None:
    said = show("--errors-only", logs=failed).out
    assert "agent1.1 at" in said
    assert "exit code 3" in said
    assert "agent1.2 at" not in said
    assert "agent2.1 at" not in said
    assert "    failed " in said
    assert "      | assert 1 == 2" in said
    assert "    error tests/test_gone.py::test_gone" in said
    assert "(not read)" in said
    assert "read 0.4 s later" not in said


def test_patches_and_tests(failed: Path) -> None:
    said = show("--diff", "--agent", "agent2", "--tests", logs=failed).out
    assert "+++ b/part2.py" in said
    assert "+++ b/part1.py" not in said
    assert "stage naive: clean (decides under naive@1)" in said
    assert "feature 2: tests_failed in" in said
    assert said.index("feature 2: tests_failed") < said.index("stage union: clean")
    assert "agent2.1 at" not in said


def test_the_same_facts_as_json(failed: Path) -> None:
    facts = show("--agent", "agent1", "--errors-only", "--json", logs=failed).facts
    [member] = facts["members"]
    [step] = member["steps"]
    assert (step["number"], step["exit_code"], step["failed"]) == (1, 3, True)
    assert step["calls"][0]["tool"] == "bash"
    assert step["answers"][0]["text"].endswith("line 39")
    assert {each["sender"] for each in facts["messages"]} == {"agent2"}
    facts = show("--diff", "--tests", "--json", logs=failed).facts
    assert set(facts["patches"]) == {"agent1", "agent2"}
    failing = facts["stages"][0]["suites"][1]["failing"]
    assert [test["status"] for test in failing] == ["failed", "error"]


@pytest.mark.parametrize("options", [("--text",), ("--text", "--json"), ("--diff",), ("--tests",)])
def test_keys_are_not_shown(options: tuple[str, ...], failed: Path) -> None:
    episode = failed / "pairs" / "coop" / EPISODE
    edit(episode / "eval.json", lambda found: found["stages"][0]["suites"][1]["tests"][0].update(output=KEY))
    said = show(*options, logs=failed)
    assert said.code == 0
    assert KEY not in said.out


@pytest.mark.parametrize(
    "episode", ["parts_task/1/f1_f3", "parts_task/1/f2_f3", "parts_task/1/f2_f4", "parts_task/1/f3_f4"]
)
def test_episodes_that_are_not_finished_are_shown_too(episode: str) -> None:
    said = show("--text", "--diff", "--tests", episode=episode)
    assert said.code == 0
    assert "not evaluated" in said.out
    assert show("--errors-only", "--json", episode=episode).facts["episode"] == episode


def test_mistakes_are_named() -> None:
    said = show("--agent", "agent3")
    assert said.code == 2
    assert "unknown member 'agent3'" in said.err
    assert "Available: agent1, agent2." in said.err
    said = cooperbench("runs", "show", "pairs", "--errors-only", "--log-dir", str(RECORDS))
    assert said.code == 2
    assert "--errors-only shows a part of one episode" in said.err
    assert "cooperbench runs show pairs EPISODE --agent agent1" in said.err
