"""Runners of many kinds, as other tasks have them, through real sandboxes."""

import shutil
from pathlib import Path

import pytest

from cooperbench.evaluation import score
from cooperbench.records import Outcome
from cooperbench.tasks import Task, read_task

pytestmark = pytest.mark.needs("sandbox")

FEATURE = 3
UNITTESTS = (
    'printf \'import unittest\\nclass T(unittest.TestCase):\\n    def test_push(self):\\n        import sys; sys.path.insert(0, "src"); from shelfdb.updates import apply_update as f\\n'
    '        self.assertEqual(f({"t": [1]}, {"$push": {"t": 1}}), {"t": [1, 1]})\\n\' >tests/test_pushes.py'
)
JUNIT = "mkdir -p target/surefire-reports; python3 -I -m pytest -q tests -p no:cacheprovider --junitxml=target/surefire-reports/TEST-x.xml"
"""As Maven writes them."""


def with_runner(task: Task, folder: Path, command: str) -> Task:
    """The task with another command in the place of its runner's last line."""
    path = folder / "data" / task.repo / f"task{task.task_id}"
    shutil.copytree(task.path, path)
    text = task.runner.decode().rstrip().rsplit("\n", 1)[0]
    (path / "runner.sh").write_text(f"{text}\n{command}\n")
    return read_task(path, bundled=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "source"),
    [
        ("python3 -m py''test -q tests", "pytest-guard"),
        pytest.param(
            "timeout 300 python3 -m pytest -q tests | grep -v nothing", "pytest-guard", marks=pytest.mark.extensive
        ),
        ("python3 -I -m pytest -q -p no:cacheprovider tests", "pytest-text"),
        ("export PYTEST_ADDOPTS='-q --color=no'; python3 -m pytest tests", "pytest-guard"),
        ("python3 -m pytest -q tests/test_list_updates.py; git clean -fdxq", "pytest-guard"),
        pytest.param(
            "printf 'test:\\n\\tpython3 -m pytest -q tests\\n' >Makefile; make test",
            "pytest-guard",
            marks=pytest.mark.extensive,  # another program between, as above
        ),
        (f"{UNITTESTS}; python3 -m unittest -q tests.test_pushes", "unittest-guard"),
        (
            f"{UNITTESTS}; python3 -I -c 'import sys; sys.path.insert(0, \".\"); import unittest; unittest.main(module=None)' -v tests.test_pushes",
            "unittest-text",
        ),
        (
            f"{UNITTESTS}; python3 -m unittest tests.test_pushes; python3 -m pytest -q tests",
            "pytest-guard+unittest-guard",
        ),
        (f"{JUNIT} # mvn test", "junit"),
    ],
    ids=[
        "hidden behind something",
        "in a pipe",
        "cut off from its surroundings",
        "options of its own",
        "cleans up",
        "by make",
        "unittest",
        "unittest, cut off",
        "two runners",
        "files of JUnit",
    ],
)
def test_gold_passes_and_the_base_fails(shelfdb: Task, tmp_path: Path, command: str, source: str) -> None:
    task = with_runner(shelfdb, tmp_path, command)
    good = score(task, {FEATURE: task.features[FEATURE].gold_patch}, falsify="off")
    assert good.verdict.passed, good.verdict
    assert good.stages[0].suites[0].source == source
    other = score(task, {FEATURE: task.features[5].gold_patch}, falsify="off")
    assert other.verdict.outcome is Outcome.TESTS_FAILED, other.verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["true", "echo '5 passed in 0.1s'", "python3 -m pytest -q tests -k no_such_test || true"]
)
def test_a_vacuous_run_is_no_measure(shelfdb: Task, tmp_path: Path, command: str) -> None:
    task = with_runner(shelfdb, tmp_path, command)
    evaluation = score(task, {FEATURE: task.features[FEATURE].gold_patch}, falsify="off")
    assert evaluation.verdict.outcome is Outcome.INFRA_ERROR
    assert "no test of feature 3 passes with its gold patch" in evaluation.verdict.features[0].reason
    assert "tasks validate" in evaluation.verdict.features[0].reason


PIP = """printf '%s\\n' 'error: subprocess-exited-with-error' "      error: invalid command 'bdist_wheel'" \
    'error: metadata-generation-failed' 'hint: See above for details.' '[notice] To update, run: pip install --upgrade pip'
exit 1"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (PIP, "error: invalid command 'bdist_wheel'"),
        ("set +e; no-such-program; echo more advice; exit 3", "no-such-program: not found"),
        ("set +e; python3 -c 'import missing'; echo Done; exit 1", "ModuleNotFoundError: No module named 'missing'"),
        ("echo 'npm ERR! missing script: test'; echo 'npm notice'; exit 1", "npm ERR! missing script: test"),
        ("echo one; echo '2 tests, 0 errors'; exit 1", "2 tests, 0 errors"),
    ],
    ids=["pip", "shell", "python", "npm", "no error named"],
)
def test_a_broken_task_is_told_by_its_error(shelfdb: Task, tmp_path: Path, command: str, reason: str) -> None:
    task = with_runner(shelfdb, tmp_path, command)
    evaluation = score(task, {FEATURE: task.features[FEATURE].gold_patch}, falsify="off")
    assert f"{reason} (cooperbench tasks validate" in evaluation.verdict.features[0].reason


@pytest.mark.slow
def test_a_test_that_gold_fails_too_is_not_held_against_a_feature(shelfdb: Task, tmp_path: Path) -> None:
    broken = "printf 'def test_broken():\\n    assert False\\n' > tests/test_broken.py\n"
    task = with_runner(shelfdb, tmp_path, f"{broken}python3 -m pytest -q tests")
    evaluation = score(task, {FEATURE: task.features[FEATURE].gold_patch + b""}, falsify="off")
    assert evaluation.stages[0].suites[0].exit_code == 1
    assert evaluation.verdict.passed


@pytest.mark.slow
def test_a_slow_run_of_the_gold_patch_does_not_make_text_the_measure(shelfdb: Task, tmp_path: Path) -> None:
    command = 'case "$PYTEST_ADDOPTS" in *cooperbench*) sleep 60 ;; esac; python3 -m pytest -q tests'
    task = with_runner(shelfdb, tmp_path, command)
    evaluation = score(task, {FEATURE: shelfdb.features[FEATURE].gold_patch}, time_limit=4, falsify="off")
    assert evaluation.verdict.outcome is Outcome.INFRA_ERROR
    assert "time limit reached" in evaluation.verdict.features[0].reason
