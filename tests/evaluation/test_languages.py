"""Tasks in Go, Rust and TypeScript, judged in containers with the languages' own test runners."""

import shutil
import tarfile
from pathlib import Path

import pytest

from cooperbench.evaluation import ScoreRequest, score, score_many
from cooperbench.records import Evaluation, FalsificationStatus, Falsify, Outcome, SuiteResult, TestStatus
from cooperbench.tasks import Task, read_task
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
    return discount_of(evaluation)


def discount_of(evaluation: Evaluation) -> SuiteResult:
    return evaluation.stages[0].suites[0]


def copied(task: Task, folder: Path, file: str, content: bytes) -> Task:
    """The task in its image, with another file."""
    path = folder / "dataset" / task.repo / "task1"
    shutil.copytree(task.path, path)
    (path / file).write_bytes(content)
    return Task(task.repo, task.task_id, path, task.image, task.recipe, read_task(path).features)


@pytest.fixture(scope="module")
def evaluations(built: Built) -> dict[str, Evaluation]:
    """Work that needs no proof, evaluated at a time."""
    language, task, checkout = built
    gold = {number: feature.gold_patch for number, feature in task.features.items()}
    works = {
        "both": gold,
        "the other": {1: gold[2]},
        "wrong": {1: checkout.patch({language.source: language.changed(body=language.wrong)})},
        "quits": {1: checkout.patch({language.source: language.changed(body=language.quits)})},
    }
    requests = [ScoreRequest(task, patches) for patches in works.values()]
    scored = score_many(requests, backend="docker", network="none", time_limit=120, falsify="off")
    names = list(works)
    found = {names[position]: evaluation for position, evaluation in scored}
    assert not {evaluation.error for evaluation in found.values()} - {None}
    return found


def test_both_gold_patches_together(built: Built, evaluations: dict[str, Evaluation]) -> None:
    language, _, _ = built
    evaluation = evaluations["both"]
    assert evaluation.verdict.passed, evaluation.verdict
    assert discount_of(evaluations["the other"]).outcome is Outcome.TESTS_FAILED
    first = discount_of(evaluation)
    assert first.source == language.report
    assert any(test.name.endswith(language.required) for test in first.tests), first.tests
    assert len(first.tests) >= 2  # those that the base has are there as well


def test_a_pass_is_proven(built: Built, tmp_path: Path) -> None:
    """Of one feature: a proof and what it needs of the gold patch are some ten suites."""
    language, task, checkout = built
    file, more = language.more_tests
    tests = language.tests[0][file]
    assert tests is not None
    changed = copied(task, tmp_path, "feature1/tests.patch", checkout.patch({file: tests + more}))
    found = discount_with((language, changed, checkout), task.features[1].gold_patch).falsification
    assert found is not None
    assert (found.status, found.broken, found.runs) == (FalsificationStatus.HELD, 3, 2), found


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


def test_one_that_is_wrong_fails_by_the_name_of_its_test(evaluations: dict[str, Evaluation]) -> None:
    result = discount_of(evaluations["wrong"])
    assert result.outcome is Outcome.TESTS_FAILED
    assert "iscount" in result.reason, result.reason
    assert "failed" in result.reason, result.reason
    # Tests of other files ran as well, although this jest is asked to stop at the first failure.
    assert TestStatus.PASSED in {test.status for test in result.tests}


def test_one_that_ends_the_tests_at_once_did_not_pass_them(evaluations: dict[str, Evaluation]) -> None:
    result = discount_of(evaluations["quits"])
    assert result.outcome is Outcome.TESTS_FAILED, result


def test_a_run_without_tests_is_no_measure(built: Built, tmp_path: Path) -> None:
    language, task, _ = built
    runner = task.runner.replace(language.command.encode(), language.no_test.encode())
    vacuous = copied(task, tmp_path, "runner.sh", runner)
    evaluation = score(vacuous, {1: task.features[1].gold_patch}, backend="docker", network="none")
    assert evaluation.verdict.outcome is Outcome.INFRA_ERROR, evaluation.verdict
    assert "no test of feature 1 passes with its gold patch" in evaluation.verdict.features[0].reason
