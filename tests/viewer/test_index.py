"""Runs and groups as the lists show them, read from the record."""

import shutil
from pathlib import Path

from cooperbench.records import Ending, EpisodeStatus, RunDirectory
from cooperbench.records.run_lock import locked
from cooperbench.records.runs import read_run
from cooperbench.viewer.index import run_page
from tests.analysis.recorded import CONFLICT, FAILED, PASSED, Recorded, record_run

RECORDS = Path(__file__).parents[1] / "records" / "fixtures" / "logs"


def test_a_row_says_how_a_group_ended_and_why(tmp_path: Path) -> None:
    episodes = [
        Recorded(features=(1, 2), cost=0.25, messages=(("agent1", "agent2", "hello"),)),
        Recorded(features=(1, 3), outcomes=(PASSED, FAILED), reasons={3: "a test\nfailed " + "x" * 400}),
        Recorded(features=(2, 3), outcomes=(CONFLICT, CONFLICT), conflicts=("a.py", "b.py")),
        Recorded(features=(1, 4), endings=(Ending.LIMIT, Ending.SUBMITTED), judged=False),
        Recorded(features=(1, 5), status=EpisodeStatus.INFRA_ERROR, cost=None),
    ]
    page = run_page(record_run(tmp_path, "made", episodes))
    passed, failed, conflict, unjudged, infra = page.groups
    assert (passed.outcome, passed.reason, passed.cost, passed.messages, passed.seconds) == ("passed", "", 0.5, 1, 60)
    assert failed.reason.startswith("a test failed xxx")
    assert (len(failed.reason), failed.reason[-1]) == (300, "…")
    assert (conflict.outcome, conflict.conflicts) == ("merge_conflict", ("a.py", "b.py"))
    assert (unjudged.state, unjudged.outcome, unjudged.reason, unjudged.limits) == (
        "finished",
        None,
        "not judged",
        ("steps",),
    )
    assert (infra.state, infra.outcome, infra.cost) == ("infra_error", None, None)
    assert (page.run.planned, page.run.completed, page.run.passed, page.run.state) == (5, 4, 1, "incomplete")


def test_the_grid_has_tasks_by_features_with_repeats_together(tmp_path: Path) -> None:
    episodes = [
        Recorded(features=(1, 10), repo="b_task", task_id=10),
        Recorded(features=(1, 2), repo="b_task", task_id=2),
        Recorded(features=(1, 2), repo="b_task", task_id=2, repeat=2),
        Recorded(features=(1, 9), repo="a_task"),
    ]
    grid = run_page(record_run(tmp_path, "made", episodes)).grid
    assert grid.columns == ((1, 2), (1, 9), (1, 10))
    assert [(line.task, line.cells) for line in grid.lines] == [
        ("a_task/1", ((), (3,), ())),
        ("b_task/2", ((1, 2), (), ())),
        ("b_task/10", ((), (), (0,))),
    ]


def test_an_episode_at_work_says_what_its_members_do(tmp_path: Path) -> None:
    shutil.copytree(RECORDS / "pairs", tmp_path / "pairs")
    before = {group.episode: group for group in run_page(read_run("pairs", tmp_path)).groups}
    assert before["parts_task/1/f2_f4"].state == "unfinished"
    with locked(RunDirectory(tmp_path / "pairs")):
        page = run_page(read_run("pairs", tmp_path))
    group = next(group for group in page.groups if group.episode == "parts_task/1/f2_f4")
    assert (page.run.state, group.state) == ("running", "running")
    assert group.reason.startswith("agent1: ")
    assert "agent2: " in group.reason
    assert group.steps == 2


def test_earlier_runs_are_listed() -> None:
    states = [group.state for group in run_page(read_run("pairs", RECORDS)).groups]
    assert states == ["finished", "finished", "finished", "infra_error", "unfinished", "new"]
