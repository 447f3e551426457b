"""What agents, models and others' records say never commands the terminal of whoever looks at a run."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records.visible import visible
from tests.command_line import cooperbench

RECORDS = Path(__file__).parents[1] / "records" / "fixtures"
HOSTILE = "ok\x1b]0;title\x07\x1b[2J\x9b1A\r\x08\u202e[/red]\n10:00:00 agent2 to agent1: forged\u2028x"
EPISODE = "parts_task/1/f1_f2"


def edit(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture
def hostile_logs(tmp_path: Path) -> Path:
    """A run of which everything that an agent or a model says is hostile."""
    shutil.copytree(RECORDS / "logs", tmp_path, dirs_exist_ok=True)
    episode = tmp_path / "pairs" / "coop" / EPISODE
    failure = {"boundary": "agent", "kind": HOSTILE, "message": HOSTILE}
    finding = {"path": HOSTILE, "kind": "cache", "detail": HOSTILE}

    def members(result: Any) -> None:
        result["agents"]["agent1"] |= {"status": HOSTILE, "model": HOSTILE, "error": failure}
        result["agents"]["agent1"]["submission"]["findings"] = [finding]

    def messages(conversation: Any) -> None:
        conversation[0] |= {"message": HOSTILE, "to": HOSTILE, "refused": HOSTILE}

    edit(episode / "result.json", members)
    edit(episode / "conversation.json", messages)
    edit(tmp_path / "pairs" / "config.json", lambda config: config["team"][0].update(model=HOSTILE))
    edit(episode / "eval.json", lambda found: found["stages"][0]["suites"][0].update(reason=HOSTILE))
    (episode.parent / "f1_f3" / "result.json").write_text(f'{{"a": "{HOSTILE}')
    return tmp_path


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        ("runs", "list"),
        ("runs", "show", "pairs"),
        ("runs", "show", "pairs", EPISODE),
        ("runs", "show", "pairs", EPISODE, "--text"),
        ("runs", "show", "pairs", EPISODE, "--diff", "--tests"),
        ("runs", "show", "pairs", "parts_task/1/f1_f3"),
        ("runs", "show", "pairs", HOSTILE),
        ("runs", "show", HOSTILE),
        ("runs", "watch", "pairs"),
        ("tasks", "show", HOSTILE),
        (HOSTILE,),
    ],
)
def test_no_text_commands_the_terminal(command: tuple[str, ...], terminal: bool, hostile_logs: Path) -> None:
    env = {"COOPERBENCH_LOG_DIR": str(hostile_logs)} | ({"FORCE_COLOR": "1"} if terminal else {})
    said = cooperbench(*command, env=env)
    for output in (said.out, said.err):
        plain = re.sub("\x1b\\[(\\?25[lh]|2K|1A|[0-9;]*m)|\r", "", output)  # what rich's live display writes
        assert plain == visible(plain)


def test_a_message_looks_like_one_message(hostile_logs: Path) -> None:
    said = cooperbench("runs", "show", "pairs", EPISODE, "--log-dir", str(hostile_logs))
    assert said.code == 0
    lines = said.out.splitlines()
    assert not any(line.startswith("10:00:00") for line in lines)
    assert "    10:00:00 agent2 to agent1: forged" in lines
    assert said.out.count(r"ok\x1b]0;title\x07\x1b[2J\x9b1A") >= 6


def test_what_is_left_out_of_a_submission_is_shown(hostile_logs: Path) -> None:
    def left_out(result: Any) -> None:
        submission = result["agents"]["agent1"]["submission"]
        submission["skipped"] = [f"large{number}.bin" for number in range(7)]
        submission["ignored"] = ["build/", "a\nb"]

    edit(hostile_logs / "pairs" / "coop" / EPISODE / "result.json", left_out)
    lines = cooperbench("runs", "show", "pairs", EPISODE, "--log-dir", str(hostile_logs)).out.splitlines()
    assert "  left out of the work: large0.bin, large1.bin, large2.bin, large3.bin, large4.bin and 2 more" in lines
    assert "  left out, because git ignores it: build/, a b" in lines


def test_records_keep_every_character(hostile_logs: Path) -> None:
    said = cooperbench("runs", "show", "pairs", EPISODE, "--json", "--log-dir", str(hostile_logs))
    assert said.facts["result"]["agents"]["agent1"]["status"] == HOSTILE


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_any_word_on_the_command_line_is_refused_in_visible_text(word: str) -> None:
    said = cooperbench("runs", "show", f"-{word}" if word.startswith("-") else word)
    assert said.code == 2
    assert said.err == visible(said.err)
