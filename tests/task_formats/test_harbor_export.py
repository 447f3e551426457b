import hashlib
import tomllib
from pathlib import Path

import pytest

from cooperbench.task_formats import ExportedSetting, export_harbor
from cooperbench.tasks import discover_groups, find_task
from tests.command_line import cooperbench
from tests.task_formats.harbor_folder import judge, play

SHELFDB = find_task("shelfdb/1")
ADD_A_TEST = "mkdir -p tests && echo 'def test_free(): pass' >tests/test_list_operators.py"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pair 1, 3 of shelfdb, and its feature 3 alone."""
    place = tmp_path_factory.mktemp("harbor")
    groups = discover_groups([SHELFDB], features=(1, 3))
    export_harbor(groups, place / "solo", setting=ExportedSetting.SOLO)
    export_harbor(groups, place / "single", setting=ExportedSetting.SINGLE)
    return place


def test_a_folder_for_each_group(folders: Path) -> None:
    folder = folders / "solo" / "shelfdb-1-f1-f3"
    settings = tomllib.loads((folder / "task.toml").read_text())
    gold = SHELFDB.features[3].gold_patch
    assert settings["metadata"]["features"] == [1, 3]
    assert settings["metadata"]["gold_sha256"]["3"] == hashlib.sha256(gold).hexdigest()
    assert settings["metadata"]["licence"] == "MIT"
    assert settings["verifier"]["environment_mode"] == "separate"
    instruction = (folder / "instruction.md").read_text()
    assert all(SHELFDB.features[number].description.strip() in instruction for number in (1, 3))
    assert (folder / "tests" / "feature3" / "gold.patch").read_bytes() == gold
    assert (folder / "environment" / "Dockerfile").read_text().rstrip().endswith("ENTRYPOINT []")


def test_an_agent_finds_neither_tests_nor_gold_patches(folders: Path) -> None:
    for folder in (folders / "solo").iterdir():
        if folder.is_dir():
            files = [path for path in (folder / "environment").rglob("*") if path.is_file()]
            assert {path.parent.name for path in files} == {"environment", "cooperbench"}
            for feature in SHELFDB.features.values():
                hidden = (feature.gold_patch, feature.tests_patch)
                assert not [path for path in files if any(patch in path.read_bytes() for patch in hidden)]


def test_the_command_says_what_harbor_cannot_express(tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["tasks", "export", "-s", "demo", "-r", "ledgerkit", "--format", "harbor", "--out", str(out)]
    said = cooperbench(*wanted, "--setting", "single")
    assert said.code == 0
    assert f"{out}: 6 tasks of Harbor" in said.out
    notes = (out / "not_expressed.txt").read_text().splitlines()
    assert notes == [
        line.removeprefix("not expressed: ") for line in said.out.splitlines() if "not expressed: " in line
    ]
    assert any("several agents" in note for note in notes)
    again = cooperbench(*wanted, "--setting", "solo")
    assert (again.code, again.err.splitlines()[0]) == (2, f"error: {out} already exists")
    refused = cooperbench(*wanted[:-1], str(tmp_path / "coop"), "--setting", "coop")
    assert (refused.code, refused.err.splitlines()[0]) == (
        2,
        "error: the setting coop cannot be exported: a task of Harbor has one agent",
    )
    assert not (tmp_path / "coop").exists()


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_gold_passes_and_one_feature_of_two_does_not(folders: Path) -> None:
    solved = play(SHELFDB, folders / "single" / "shelfdb-1-f3", "sh /solution/solve.sh && rm -rf .git")
    assert solved.rewards == {"reward": 1, "feature_3": 1}, solved.verdict
    both = folders / "solo" / "shelfdb-1-f1-f3"
    assert (both / "solution" / "combined.patch").read_bytes() == SHELFDB.combined_patch
    (both / "solution" / "half.patch").write_bytes(SHELFDB.features[3].gold_patch)
    half = play(SHELFDB, both, "git apply /solution/half.patch && git add -A && git commit -qm work && " + ADD_A_TEST)
    assert half.rewards == {"reward": 0, "feature_1": 0, "feature_3": 1}, half.verdict
    assert "left out: tests/test_list_operators.py" in half.verdict


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_nothing_and_lies_do_not_pass(folders: Path) -> None:
    folder = folders / "single" / "shelfdb-1-f3"
    assert play(SHELFDB, folder, "true").rewards == {"reward": 0, "feature_3": 0}
    assert judge(SHELFDB, folder, b"tampered").rewards == {"reward": 0, "feature_3": 0}
    ending = "import os, atexit; print('1 passed'); os._exit(0)"
    lie = play(
        SHELFDB, folder, f'for f in $(find . -name __init__.py -not -path "*/tests/*"); do echo "{ending}" >>$f; done'
    )
    assert lie.rewards == {"reward": 0, "feature_3": 0}
    assert "no report of the tests, exit code 0" in lie.verdict


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_broken_task_is_an_error_and_not_a_zero(folders: Path) -> None:
    folder = folders / "single" / "shelfdb-1-f1"
    (folder / "tests" / "feature1" / "gold.patch").write_bytes(SHELFDB.features[3].gold_patch)
    broken = play(SHELFDB, folder, "git apply /solution/feature1.patch")
    assert broken.rewards is None
    assert "the gold patch fails its tests" in broken.verdict
