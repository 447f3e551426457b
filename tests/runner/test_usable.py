"""A feature that was not written, or whose patch git cannot read, costs the groups that it is in, and nothing else."""

from pathlib import Path

import pytest

from tests.command_line import Said, cooperbench
from tests.runner.parts import write_parts

pytestmark = pytest.mark.needs("sandbox")


def run(place: Path, *more: str) -> Said:
    return cooperbench("run", "-n", "exp", "-a", "nop", "--backend", "local", "--no-auto-eval", *more, cwd=place)


@pytest.mark.slow
def test_the_groups_without_the_fault_are_run(tmp_path: Path) -> None:
    task = write_parts(tmp_path / "dataset", 5)
    whole = (task.path / "feature2/feature.patch").read_text()
    (task.path / "feature2/feature.patch").write_text(whole.replace("@@ -0,0 +1,1 @@", "@@ -0,0 +1,3 @@"))
    (task.path / "feature4/tests.patch").write_text("")
    (task.path / "feature5/feature.md").unlink()
    reasons = [
        "left out: parts_task/1, feature5: feature.md is missing",
        "left out: parts_task/1, feature2: feature.patch is not a patch that git can read: corrupt patch",
        "left out: parts_task/1, feature4: tests.patch is empty",
    ]
    preview = run(tmp_path, "--dry-run")
    assert preview.code == 0
    assert all(reason in preview.out for reason in reasons)
    said = run(tmp_path)
    assert said.code == 0, said
    assert all(reason in said.err for reason in reasons)
    assert {path.parent.name for path in tmp_path.glob("logs/exp/*/*/*/*/result.json")} == {"f1_f3"}
    refused = run(tmp_path, "-f", "1,5")
    assert refused.code == 2
    assert refused.err.startswith("error: feature 5 of parts_task/1 cannot be used: feature.md is missing\n")


def test_a_task_that_is_not_written_yet_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    task = write_parts(tmp_path / "dataset", 2)
    (task.path / "feature1/feature.patch").write_text("")
    said = run(tmp_path)
    assert said.code == 2
    assert said.err == (
        "error: nothing can be run; parts_task/1, feature1: feature.patch is empty\n"
        "  try: fix the files, then: cooperbench tasks validate -r parts_task -t 1\n"
    )
    assert not (tmp_path / "logs").exists()
