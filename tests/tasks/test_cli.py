import json
import shutil
from pathlib import Path

import pytest

from cooperbench.tasks import find_dataset
from tests.command_line import cooperbench


def tasks(*arguments: str, code: int = 0) -> str:
    """What `cooperbench tasks` prints: facts, or with code 2 the error."""
    said = cooperbench("tasks", *arguments)
    assert said.code == code, said
    return said.err if code else said.out


def test_list() -> None:
    assert "ledgerkit_task/1  Python    6         15" in tasks("list", "-s", "demo")
    listed = json.loads(tasks("list", "-s", "demo", "--json"))
    assert [row["task"] for row in listed] == ["ledgerkit_task/1", "shelfdb_task/1"]
    assert listed[1]["pairs"] == 21


def test_show() -> None:
    text = tasks("show", "shelfdb_task/1", "-s", "demo", "-f", "3")
    assert "feature 3     35 lines  Add update operators for lists" in text
    assert "--- feature 3" in text
    facts = json.loads(tasks("show", "shelfdb/1", "-s", "demo", "--json"))
    assert facts["features"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(facts["descriptions"]) == 7


@pytest.mark.needs("sandbox")
def test_stats_merge_every_pair() -> None:
    found = json.loads(tasks("stats", "-s", "demo", "-r", "ledgerkit", "--pairs", "--json"))[0]
    assert (found["pairs"], found["pairs_conflicting"]) == (15, 3)
    conflicting = [merge["features"] for merge in found["merges"] if merge["conflicts"]]
    assert conflicting == [[1, 2], [4, 5], [4, 6]]
    assert "  1 + 2   src/ledgerkit/" in tasks("stats", "-s", "demo", "-r", "ledgerkit", "--pairs")


def test_stats_in_a_clone_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = find_dataset(subset="demo") / "ledgerkit_task"
    shutil.copytree(bundled, tmp_path / "data/ledgerkit_task", ignore=shutil.ignore_patterns("Dockerfile"))
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path)
    asked = ("stats", "--dataset-dir", "data", "--repository")
    assert "'nowhere' does not exist" in tasks(*asked, "nowhere", code=2)
    monkeypatch.setenv("HOME", str(tmp_path))
    for clone in ("clone", "./clone", "~/clone"):
        assert "needs the base commit of ledgerkit_task/1, and it has no Dockerfile" in tasks(*asked, clone, code=2)


def test_sample_needs_a_dataset(tmp_path: Path) -> None:
    assert "there is no dataset" in tasks("sample", "--pairs", "1", "--dataset-dir", str(tmp_path / "none"), code=2)


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_validate_says_what_is_wrong_with_a_feature() -> None:
    text = tasks("validate", "-s", "demo", "-r", "shelfdb", "-f", "3", "-k", "2")
    assert "shelfdb_task/1: ok" in text
    assert "3        yes            yes             yes" in text
    found = json.loads(tasks("validate", "-s", "demo", "-r", "shelfdb", "-f", "3", "-k", "1", "--json"))[0]
    assert found["ok"] is True
    assert found["later_commits"] == 0
    assert found["features"][0]["flaky"] == []


def test_mistakes() -> None:
    assert "did you mean 'shelfdb_task'" in tasks("show", "shelfdbb/1", "-s", "demo", code=2)
    assert "unknown feature '9'" in tasks("show", "shelfdb/1", "-s", "demo", "-f", "9", code=2)
