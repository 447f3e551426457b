"""A submission is judged under the conditions under which the gold patch was seen to pass, skipped installations included."""

from pathlib import Path

import pytest

from cooperbench.environments import build_image
from cooperbench.evaluation import score
from cooperbench.records import SuiteResult
from cooperbench.tasks import Task
from tests.evaluation.edits import append, base_checkout
from tests.evaluation.test_suites import with_runner

pytestmark = pytest.mark.needs("sandbox")

PIP = """mkdir -p /tmp/bin
printf '#!/usr/bin/env python3\\nprint("really installed")\\n' >/tmp/bin/pip
chmod +x /tmp/bin/pip
PATH=/tmp/bin:$PATH
"""
TESTS = "python3 -m pytest -q -p no:cacheprovider tests"


def suites(task: Task, *features: int) -> list[SuiteResult]:
    """Results of the gold patches, once it is known what installing changes."""
    for feature in features:
        score(task, {feature: task.features[feature].gold_patch}, install="once", falsify="off")
    again = score(
        task, {number: task.features[number].gold_patch for number in features}, install="once", falsify="off"
    )
    assert again.verdict.passed, again.verdict
    return list(again.stages[0].suites)


@pytest.mark.slow
def test_what_changes_nothing_is_skipped(shelfdb: Task, tmp_path: Path) -> None:
    (suite,) = suites(with_runner(shelfdb, tmp_path, f"{PIP}pip install -e .\n{TESTS}"), 3)
    assert "already installed in this image; nothing to do for: pip install -e ." in suite.output_tail


@pytest.mark.slow
@pytest.mark.parametrize(
    "install",
    ["pip install -e . | grep -q really", "pip install -e . | grep -q really || tests=tests/test_query.py"],
    ids=["no test runs without it", "fewer tests run without it"],
)
def test_a_short_cut_that_gold_does_not_pass_is_not_taken(shelfdb: Task, tmp_path: Path, install: str) -> None:
    command = f"{PIP}tests=tests\n{install}\npython3 -m pytest -q -p no:cacheprovider $tests"
    (suite,) = suites(with_runner(shelfdb, tmp_path, command), 3)
    assert "already installed" not in suite.output_tail


@pytest.mark.slow
def test_each_feature_has_to_pass_by_the_short_cut(shelfdb: Task, tmp_path: Path) -> None:
    one_needs_it = (
        "if [ -f tests/test_list_updates.py ]; then pip install -e . | grep really; else pip install -e .; fi"
    )
    first, second = suites(with_runner(shelfdb, tmp_path, f"{PIP}{one_needs_it}\n{TESTS}"), 5, 3)
    skipped = {suite.feature: "already installed" in suite.output_tail for suite in (first, second)}
    assert skipped == {3: False, 5: True}


@pytest.mark.slow
def test_work_without_a_report_is_tested_the_long_way(shelfdb: Task, tmp_path: Path) -> None:
    """As if the stand-in failed for this work only."""
    task = with_runner(shelfdb, tmp_path, f"{PIP}pip install -e . | grep really || [ ! -f src/broken ]\n{TESTS}")
    suites(task, 3)
    patch = b"diff --git a/src/broken b/src/broken\nnew file mode 100644\n--- /dev/null\n+++ b/src/broken\n@@ -0,0 +1 @@\n+x\n"
    evaluation = score(task, {3: task.features[3].gold_patch + patch}, install="once", falsify="off")
    assert evaluation.verdict.passed, evaluation.verdict
    assert "really" in evaluation.stages[0].suites[0].output_tail


@pytest.mark.docker
@pytest.mark.slow
def test_work_with_other_dependencies_may_fetch_them(shelfdb: Task, tmp_path: Path) -> None:
    """By a tool that is not known here, as poetry, hatch or tox are to the evaluator."""
    fetch = "if grep -q '# new' pyproject.toml; then ls /sys/class/net | grep -q eth; fi"
    own = with_runner(shelfdb, tmp_path, f"{fetch}\n{TESTS}")
    recipe = own.recipe.model_copy(update={"name": "cooperbench-test/shelfdb:evaluation", "bundled": False})
    build_image("docker", recipe, base_image="cooperbench-test/base:latest")
    task = Task(own.repo, own.task_id, own.path, recipe.name, recipe, own.features)
    gold = task.features[3].gold_patch
    patch = append(base_checkout(shelfdb, tmp_path / "repo"), "pyproject.toml", "# new\n")
    evaluation = score(task, {3: gold + patch}, backend="docker", falsify="off")
    assert evaluation.verdict.passed, evaluation.verdict
