"""`runs show` says what of submissions was left out, and what changed while tests ran."""

import shutil
from pathlib import Path

import pytest

from cooperbench.records import DropAction, DroppedPath, DropRule, Evaluation, read_model, write_model
from tests.command_line import cooperbench

RUNS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"


def test_left_out_and_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(RUNS, tmp_path / "logs")
    monkeypatch.chdir(tmp_path)
    [path] = (tmp_path / "logs" / "pairs").rglob("eval.json")
    evaluation = read_model(path, Evaluation)
    parts = [
        DroppedPath(
            agent_id="agent1",
            path="shlex.py",
            reason="stands in for the module shlex",
            rule=DropRule.STAND_IN,
            action=DropAction.LEFT_OUT,
        ),
        DroppedPath(agent_id="agent2", path="setup.cfg", reason="test configuration in it"),
    ]
    first, *others = evaluation.stages
    suite = first.suites[0].model_copy(update={"changed": ("plugin evil", "builtins.compile")})
    stage = first.model_copy(update={"suites": (suite, *first.suites[1:])})
    more = [part.model_copy(update={"path": f"tests/test_{number}.py"}) for number in range(10) for part in parts[1:]]
    write_model(path, evaluation.model_copy(update={"dropped": (*parts, *more), "stages": (stage, *others)}))
    shown = cooperbench("runs", "show", "pairs", "parts_task/1/f1_f2").out
    assert "left out of agent1: shlex.py (stands in for the module shlex)" in shown
    assert "left out of agent2: setup.cfg (test configuration in it)" in shown
    assert "and 2 more; all are in eval.json" in shown
    assert "changed while the tests ran: plugin evil, builtins.compile" in shown
