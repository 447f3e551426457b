"""Flat rows of runs that lie on disk; see fixtures/README.md."""

import sys
from pathlib import Path

import pytest

from cooperbench import read_run, read_runs
from cooperbench.errors import MissingExtraError, UnknownNameError

LOGS = Path(__file__).parent / "fixtures" / "logs"


def test_an_episode_has_a_row_also_when_it_did_not_run() -> None:
    run = read_run("pairs", LOGS)
    rows = run.rows()
    assert [(row["episode"][-5:], row["state"], row["passed"], row["naive"]) for row in rows] == [
        ("f1_f2", "finished", True, "clean"),
        ("f1_f3", "finished", None, None),
        ("f1_f4", "finished", None, None),
        ("f2_f3", "infra_error", None, None),
        ("f2_f4", "unfinished", None, None),
        ("f3_f4", "new", None, None),
    ]
    judged, *_, new = rows
    assert {row["policy"] for row in rows} == {run.config.policy}
    assert (judged["task"], judged["group"], judged["features"], judged["repeat"]) == (
        "parts_task/1",
        "parts_task/1/f1_f2",
        (1, 2),
        1,
    )
    assert (judged["alone_passed"], judged["union_passed"], judged["feature_outcomes"]) == (
        True,
        True,
        ("passed", "passed"),
    )
    assert (judged["cost"], judged["messages"], judged["step_budget"]) == (0.04, 2, 200)
    assert (new["cost"], new["steps"], new["judged"], new["feature_outcomes"]) == (None, None, False, ())
    assert rows[3]["error"] == "ModelAuthenticationError"
    assert all(not isinstance(value, dict | list) for row in rows for value in row.values())


def test_a_member_has_a_row() -> None:
    rows = [row for row in read_run("pairs", LOGS).member_rows() if row["episode"] == "parts_task/1/f1_f2"]
    assert [(row["agent_id"], row["own_features"], row["steps"], row["cost"], row["alone_passed"]) for row in rows] == [
        ("agent1", (1,), 2, 0.02, True),
        ("agent2", (2,), 2, 0.02, True),
    ]
    assert [(row["messages_sent"], row["messages_received"], row["submitted"]) for row in rows] == [(1, 1, True)] * 2


def test_several_runs_are_read_together() -> None:
    runs = read_runs(log_dir=str(LOGS))
    assert [run.config.run for run in runs] == ["alone", "pairs"]
    assert len(runs.rows()) == sum(len(run) for run in runs)
    assert {row["alone_passed"] for row in runs[0].rows()} == {True}  # one member alone is the merge itself
    assert "alone" in repr(runs)
    assert "<td>alone</td>" in runs._repr_html_()


def test_an_episode_gives_its_files() -> None:
    run = read_run("pairs", LOGS)
    episode = next(iter(run))
    assert run.episode("parts_task/1/f1_f2") is episode
    assert repr(episode) == "<episode parts_task/1/f1_f2: finished, passed>"
    assert "<td>parts_task/1/f1_f2</td>" in run._repr_html_()
    assert episode.trajectory("agent2").messages[-1].message["content"] == "Submitted."
    assert "+NUMBER = 1\n" in episode.patch("agent1")
    assert [message.sender for message in episode.conversation] == ["agent1", "agent2"]
    assert episode.events()[0].kind == "episode.started"
    with pytest.raises(UnknownNameError, match=r"unknown member 'agent9'; did you mean 'agent"):
        episode.patch("agent9")
    with pytest.raises(UnknownNameError, match="unknown member 'agent1'"):
        run.episodes[-1].trajectory("agent1")
    with pytest.raises(UnknownNameError, match="unknown episode"):
        run.episode("parts_task/1/f9")


def test_a_data_frame_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="analysis"):
        read_run("pairs", LOGS).to_pandas()
