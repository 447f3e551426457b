"""Tasks in Go, Rust and TypeScript, judged in containers with the languages' own test runners."""

import shutil
import tarfile
from pathlib import Path

import pytest

from cooperbench.evaluation import score
from cooperbench.records import FalsificationStatus, Falsify, Outcome, SuiteResult, TestStatus
from cooperbench.tasks import Task
from tests.evaluation.languages import LANGUAGES, Language, make_task
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci]

Built = tuple[Language, Task, Checkout]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in LANGUAGES])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    name: str = request.param
    language = LANGUAGES[name]
    return language, *make_task(language, tmp_path_factory.mktemp(name), f"basket_{name}")


def discount_with(built: Built, patch: bytes, falsify: Falsify = "on") -> SuiteResult:
    """The tests of feature 1 on a patch."""
    _, task, _ = built
    evaluation = score(task, {1: patch}, backend="docker", network="none", time_limit=120, falsify=falsify)
    assert evaluation.error is None, evaluation.error
    return evaluation.stages[0].suites[0]


def test_both_gold_patches_together(built: Built) -> None:
    language, task, _ = built
    patches = {number: feature.gold_patch for number, feature in task.features.items()}
    evaluation = score(task, patches, backend="docker", network="none", singles="all", falsify="off")
    assert evaluation.verdict.passed, evaluation.verdict
    suites = {stage.name: [suite.outcome for suite in stage.suites] for stage in evaluation.stages}
    assert suites["single:agent1"] == [Outcome.PASSED, Outcome.TESTS_FAILED]
    assert suites["single:agent2"] == [Outcome.TESTS_FAILED, Outcome.PASSED]
    first = evaluation.stages[0].suites[0]
    assert first.source == language.report
    assert any(test.name.endswith(language.required) for test in first.tests), first.tests
    assert len(first.tests) >= 2  # those that the base has are there as well


def test_a_pass_is_proven(built: Built) -> None:
    """Of one feature: a proof and what it needs of the gold patch are some fifteen suites."""
    language, task, _ = built
    found = discount_with(built, task.features[1].gold_patch).falsification
    assert found is not None
    assert found.status is FalsificationStatus.HELD, found
    assert found.broken == language.new_tests


@pytest.mark.parametrize("built", [pytest.param("go", marks=pytest.mark.xdist_group("go"))], indirect=True)
def test_what_go_compiled_of_the_base_is_kept_and_changes_no_verdict(built: Built, cache: Path) -> None:
    language, task, checkout = built
    works = [task.features[1].gold_patch, checkout.patch({language.source: language.changed(body=language.wrong)})]
    outcomes, names, packed = [], [], {}
    for used in (True, False):
        for work in works:
            result = discount_with(built, work, falsify="off")
            outcomes.append(result.outcome)
            names.append([test.name for test in result.tests])
        kept = [path for path in (cache / "builds").iterdir() if path.suffix != ".lock" and path.stat().st_size]
        assert bool(kept) is used
        for path in kept:
            with tarfile.open(path) as archive:
                assert archive.getnames()[0] == "./README"  # all of it, so that it can lie in memory
                contents = [file.read() for member in archive if (file := archive.extractfile(member))]
            assert contents
            assert not any(b"func Discount" in content or b"basket.Discount" in content for content in contents)
            packed[path] = path.read_bytes()
            path.write_bytes(b"")  # as where nothing is kept
    for path, data in packed.items():
        path.write_bytes(data)
    assert outcomes == [Outcome.PASSED, Outcome.TESTS_FAILED] * 2
    assert names[:2] == names[2:]  # also those that passed on the base run again


def test_one_that_is_wrong_fails_by_the_name_of_its_test(built: Built) -> None:
    language, _, checkout = built
    wrong = checkout.patch({language.source: language.changed(body=language.wrong)})
    result = discount_with(built, wrong)
    assert result.outcome is Outcome.TESTS_FAILED
    assert "iscount" in result.reason, result.reason
    assert "failed" in result.reason, result.reason
    # Tests of other files ran as well, although this jest is asked to stop at the first failure.
    assert TestStatus.PASSED in {test.status for test in result.tests}


def test_one_that_ends_the_tests_at_once_did_not_pass_them(built: Built) -> None:
    language, _, checkout = built
    result = discount_with(built, checkout.patch({language.source: language.changed(body=language.quits)}))
    assert result.outcome is Outcome.TESTS_FAILED, result


def test_a_run_without_tests_is_no_measure(built: Built, tmp_path: Path) -> None:
    language, task, _ = built
    path = tmp_path / "dataset" / task.repo / "task1"
    shutil.copytree(task.path, path)
    (path / "runner.sh").write_bytes(task.runner.replace(language.command.encode(), language.no_test.encode()))
    vacuous = Task(task.repo, task.task_id, path, task.image, task.recipe, task.features)
    evaluation = score(vacuous, {1: task.features[1].gold_patch}, backend="docker", network="none")
    assert evaluation.verdict.outcome is Outcome.INFRA_ERROR, evaluation.verdict
    assert "no test of feature 1 passes with its gold patch" in evaluation.verdict.features[0].reason
