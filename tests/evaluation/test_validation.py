import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.evaluation import TaskValidation, validate_task
from cooperbench.tasks import Task, read_task

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]


@pytest.fixture
def copy(shelfdb: Task, tmp_path: Path) -> Path:
    path = tmp_path / "data" / "shelfdb_task" / "task1"
    shutil.copytree(shelfdb.path, path)
    return path


def validate(path: Path, *features: int, repetitions: int = 1) -> TaskValidation:
    return validate_task(read_task(path, bundled=True), backend="local", features=features, repetitions=repetitions)


def test_a_feature_whose_tests_pass_without_it(copy: Path) -> None:
    (copy / "feature3" / "tests.patch").write_bytes(
        b"--- /dev/null\n+++ b/tests/test_nothing.py\n@@ -0,0 +1,2 @@\n+def test_nothing():\n+    assert True\n"
    )
    found = validate(copy, 3)
    assert found.features[0].problems == ("passes without its gold patch",)
    assert not found.ok


def test_gold_patches_that_do_not_do_it(copy: Path, shelfdb: Task) -> None:
    (copy / "feature3" / "feature.patch").write_bytes(shelfdb.features[4].gold_patch)
    (copy / "feature4" / "feature.patch").write_bytes(b"")
    (copy / "feature5" / "feature.patch").write_bytes(b"--- a/none.py\n+++ b/none.py\n@@ -1 +1 @@\n-a\n+b\n")
    found = {feature.feature: feature.problems for feature in validate(copy, 3, 4, 5).features}
    # The tests are named, not the runner's last words.
    assert found[3][0].startswith("fails with its gold patch: tests/")
    assert found[4] == ("the gold patch is empty",)
    assert found[5] == ("the gold patch does not apply",)


def test_flaky_tests_are_named(copy: Path) -> None:
    # Twenty, each flaky in three of four checks of this length: that none is seen does not happen.
    (copy / "feature3" / "tests.patch").write_bytes(
        b"--- /dev/null\n+++ b/tests/test_flaky.py\n@@ -0,0 +1,9 @@\n"
        b"+import os\n+import pytest\n+\n+def test_steady():\n+    assert True\n+\n"
        b'+@pytest.mark.parametrize("_", range(20))\n+def test_flaky(_):\n+    assert os.urandom(1)[0] % 2\n'
    )
    found = validate(copy, 3, repetitions=3).features[0]
    assert found.flaky
    assert all(name.startswith("tests/test_flaky.py::test_flaky[") for name in found.flaky), found.flaky
    [problem] = [problem for problem in found.problems if "flaky tests:" in problem]
    assert problem.startswith(f"{len(found.flaky)} flaky tests: {found.flaky[0]}")


def test_a_missing_image_is_a_finding(copy: Path) -> None:
    found = validate_task(read_task(copy), backend="local")
    assert not found.ok
    assert "images build" in found.problems[0]


@pytest.mark.parametrize("command", ["echo Repository cleaned.", "echo Repository cleaned.; exit 1"])
def test_a_runner_that_runs_no_test_says_so(copy: Path, command: str) -> None:
    runner = (copy / "runner.sh").read_text().rstrip().rsplit("\n", 1)[0]
    (copy / "runner.sh").write_text(f"{runner}\n{command}\n")
    found = validate(copy, 3).features[0]
    assert found.problems == ("the runner ran no test with its gold patch: Repository cleaned.",)
    assert (found.passes_on_gold, found.passes_combined, found.tests) == (False, False, 0)


@pytest.mark.ci
def test_an_interrupted_check_ends_its_sandboxes_and_goes_on_where_it_was(shelfdb: Task) -> None:
    sandboxes = Path(os.environ["COOPERBENCH_CACHE_DIR"]) / "sandboxes"
    before = set(sandboxes.glob("*"))
    command = ["tasks", "validate", "-s", "demo", "-r", shelfdb.repo, "-f", "1,2,3,4,5,6", "--backend", "local"]
    done: set[str] = set()
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-m", "cooperbench.cli.main", *command], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == f"validating {shelfdb.key}: 6 features\n"
            said = [process.stderr.readline() for _ in range(len(done) + 1)]
            kept = {line for line in said if line.endswith(": ok (kept from the check that was interrupted)\n")}
            assert {line.split(" (")[0] + "\n" for line in kept} == done
            assert all(line.endswith(": ok\n") for line in {*said} - kept)
            process.send_signal(signal.SIGTERM)
            done |= {*said, *process.stderr.read().splitlines(keepends=True)}
            assert process.wait(120) == 130
        done = {line for line in done if line.startswith("feature") and "kept" not in line}
        assert set(sandboxes.glob("*")) <= before
