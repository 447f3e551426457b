"""`runs rm` removes what the harness wrote, and nothing else, and never a run in progress."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cooperbench.agents.pauses import SharedPauses
from cooperbench.records import RunDirectory
from cooperbench.records.run_lock import locked
from cooperbench.runner import RunResult
from tests.command_line import cooperbench

FIXTURES = Path(__file__).parents[1] / "records/fixtures/logs"
Finished = Callable[..., RunResult]


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIXTURES, tmp_path / "logs")
    return tmp_path / "logs"


def test_a_run_is_removed_and_its_neighbour_stays(logs: Path) -> None:
    before = {path for path in logs.rglob("*") if not path.is_relative_to(logs / "pairs")}
    SharedPauses(logs / "pairs" / ".pauses").extend("openai", 60)
    said = cooperbench("runs", "rm", "pairs", "--yes")
    assert (said.code, said.out) == (0, f"removed {logs / 'pairs'}\n")
    assert set(logs.rglob("*")) == before
    assert cooperbench("runs", "rm", "pairs", "--yes").code == 2


def test_what_the_user_put_there_stays(logs: Path, tmp_path: Path) -> None:
    (logs / "pairs/notes.md").write_text("mine")
    episode = next((logs / "pairs/coop").rglob("result.json")).parent
    (episode / "plot.png").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/data.json").write_text("mine")
    (episode / "linked").symlink_to(tmp_path / "elsewhere")
    (episode / "agent9_logs").symlink_to(tmp_path / "elsewhere")
    said = cooperbench("runs", "rm", "pairs", "--yes")
    assert said.code == 0
    assert f"kept {logs / 'pairs/notes.md'}, which is not of the record" in said.out
    assert (episode / "plot.png").read_text() == (logs / "pairs/notes.md").read_text() == "mine"
    assert (tmp_path / "elsewhere/data.json").read_text() == "mine"
    assert not (episode / "result.json").exists()
    assert not (logs / "pairs/config.json").exists()


def test_a_run_in_progress_stays(logs: Path) -> None:
    with locked(RunDirectory(logs / "pairs")):
        said = cooperbench("runs", "rm", "alone", "pairs", "--yes")
    assert said.code == 2
    assert said.err == "error: run 'pairs' is in progress\n  try: cooperbench runs watch pairs\n"
    assert (logs / "alone/config.json").exists()


@pytest.mark.parametrize("name", ["nothing", "..", "../logs", "notes", "pairs/coop", "linked"])
def test_what_is_not_a_run_stays(name: str, logs: Path) -> None:
    (logs / "notes").mkdir()
    (logs / "notes/a.txt").write_text("mine")
    (logs / "linked").symlink_to(logs / "pairs")
    before = set(logs.rglob("*"))
    said = cooperbench("runs", "rm", name, "--yes")
    assert said.code == 2
    assert set(logs.rglob("*")) == before


def test_without_a_terminal_it_wants_yes(logs: Path) -> None:
    said = cooperbench("runs", "rm", "pairs")
    assert said.code == 2
    assert "cooperbench runs rm pairs --yes" in said.err
    assert (logs / "pairs/config.json").exists()
