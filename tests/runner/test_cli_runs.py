import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.cli.main import main

Says = Callable[..., tuple[object, str]]
RUN = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-a", "writes", "-n", "exp", "--no-auto-eval")


@pytest.fixture
def says(surroundings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    """Runs the command line in this process; gives its exit code and standard output."""

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["cooperbench", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().out

    return run


def test_a_dry_run_says_what_would_be_done_and_does_nothing(says: Says, surroundings: Path) -> None:
    code, said = says(*RUN, "--dry-run")
    assert code == 0
    assert "1 episode of 1 task: 1 new" in said
    assert "1 to run, at most $6.00 by the members' cost limits" in said
    code, said = says(*RUN, "--dry-run", "--json")
    facts = json.loads(said)
    assert (facts["to_run"], facts["resumed"], facts["config"]["backend"]) == (1, False, "local")
    assert not surroundings.exists()


def test_a_run_is_listed_and_shown(says: Says, surroundings: Path) -> None:
    code, said = says(*RUN)
    assert code == 0
    assert "1/1 episodes completed, not evaluated" in said
    assert f"record: {surroundings / 'exp'}" in said
    _, said = says("runs", "list")
    assert said.splitlines()[1].split() == ["exp", "complete", "coop", "writes", "gpt-4o", "1/1", "0/0", "$0.50"]
    _, said = says("runs", "show", "exp", "shelfdb_task/1/f1_f2")
    assert "agent1 (feature 1; writes with gpt-4o): submitted as 'Submitted' after 1 steps, $0.2500, 1 lines" in said
    _, said = says("runs", "show", "exp", "--json")
    [episode] = json.loads(said)["episodes"]
    assert episode["result"]["status"] == "completed"
    _, said = says("runs", "watch", "exp")
    assert "1/1 episodes completed, not evaluated" in said
    _, said = says(*RUN, "--dry-run")
    assert "1 episode of 1 task: 1 finished" in said
    assert "(resumed)" in said


def test_passwords_stay_out_of_the_recorded_command(says: Says, surroundings: Path) -> None:
    code, _ = says(*RUN, "--setting", "solo", "--redis", "redis://user:secret@127.0.0.1:1")
    assert code == 0
    config = (surroundings / "exp" / "config.json").read_text()
    assert "secret" not in config
    assert json.loads(config)["command"][-1] == "***"


def test_one_broken_run_does_not_hide_the_others(says: Says, surroundings: Path) -> None:
    says(*RUN)
    (surroundings / "broken").mkdir()
    (surroundings / "broken" / "config.json").write_text("{")
    code, said = says("runs", "list")
    assert code == 0
    assert said.splitlines()[1].startswith("exp ")
