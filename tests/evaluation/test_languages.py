"""Tasks in Go, Rust and TypeScript, judged in containers with the languages' own test runners."""

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from cooperbench.evaluation import (
    EvaluationSettings,
    ScoreRequest,
    evaluate_submissions,
    make_submission,
    score,
    score_many,
)
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.records import Evaluation, EvaluationChoices, FalsificationStatus, Outcome, SuiteResult, TestStatus
from cooperbench.tasks import Task, read_task
from tests.evaluation.attacks import go, rust, typescript, vitest
from tests.evaluation.attacks.attack import Attack
from tests.evaluation.edits import seed_for
from tests.evaluation.languages import GO, TYPESCRIPT, VITEST, WORKSPACE, Language, build_vitest, make_task
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci]

Built = tuple[Language, Task, Checkout]


class Subject(NamedTuple):
    """A language, and what passes there."""

    language: Language
    lie: Attack
    """Passes every test, whatever is expected."""
    later: str
    """The end of the name of a test that passes with wrong work, and stands behind one that fails. Each runner is asked to stop there."""


# Runners with options of their own, where there are variables for them.
SUBJECTS = {
    "go": Subject(
        replace(GO, command=f"GOFLAGS=-mod=mod {GO.command}"),
        go.ATTACKS["read the expected value in the test"],
        ".TestNothing",
    ),
    "rust": Subject(WORKSPACE, rust.ATTACKS["everything is equal"], "basket:total:nothing"),
    "typescript": Subject(
        replace(TYPESCRIPT, command=f"NODE_OPTIONS=--experimental-vm-modules {TYPESCRIPT.command}"),
        typescript.ATTACKS["objects that are a number"],
        ":total adds",
    ),
    "vitest": Subject(VITEST, vitest.ATTACKS["everything is equal"], ":nothing"),
}
MARKS = {"vitest": [pytest.mark.needs("npm registry")]}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.xdist_group(name), *MARKS.get(name, ())]) for name in SUBJECTS],
)
def subject(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def built(subject: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp(subject)
    if subject == "vitest":
        build_vitest(folder / "image")
    language = SUBJECTS[subject].language.with_more_tests()
    return language, *make_task(language, folder, f"basket_{language.toolchain}")


def discount_with(built: Built, patch: bytes) -> SuiteResult:
    """The tests of feature 1 on a patch, without a proof."""
    _, task, _ = built
    evaluation = score(task, {1: patch}, backend="docker", network="none", time_limit=120, falsify="off")
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


def proven(task: Task, patch: bytes, seed: str) -> Evaluation:
    choices = EvaluationChoices(network="none", time_limit=120, falsify="on")
    submissions = [(make_submission("agent1", (1,), patch), patch)]
    evaluation = evaluate_submissions(task, (1,), submissions, EvaluationSettings("docker", choices=choices), seed=seed)
    assert evaluation.error is None, evaluation.error
    return evaluation


@pytest.fixture(scope="module")
def held(built: Built) -> Evaluation:
    """Of one feature: a proof and what it needs of the gold patch are some ten suites."""
    _, task, _ = built
    return proven(task, task.features[1].gold_patch, "one")


def test_a_pass_is_proven(held: Evaluation) -> None:
    assert held.verdict.passed, held.verdict
    found = discount_of(held).falsification
    assert found is not None
    assert (found.status, found.broken, found.runs) == (FalsificationStatus.HELD, 3, 2), found


def test_what_passes_whatever_is_expected_is_forced(subject: str, built: Built, held: Evaluation) -> None:
    _, task, checkout = built
    patch = SUBJECTS[subject].lie.patch(checkout)
    known = discount_of(held).falsification
    assert known is not None
    assert known.challenge is not None, known
    with open_store(checkout.store) as store:
        seed = seed_for(known.challenge, 1, str(apply_exactly(store, checkout.base, patch)))
    evaluation = proven(task, patch, seed)
    assert evaluation.verdict.outcome is Outcome.FORCED, evaluation.verdict
    found = discount_of(evaluation).falsification
    assert found is not None
    assert found.mismatch is not None
    assert found.mismatch.edit is not None
    assert (found.mismatch.expected, found.mismatch.found) == ("failed", "passed")
    assert found.mismatch.test in evaluation.verdict.features[0].reason
    assert f"`{found.mismatch.edit.after}`" in evaluation.verdict.features[0].reason


@pytest.mark.parametrize("subject", [pytest.param("go", marks=pytest.mark.xdist_group("go"))], indirect=True)
def test_what_go_compiled_of_the_base_is_kept_and_changes_no_verdict(built: Built, cache: Path) -> None:
    language, task, checkout = built
    works = [task.features[1].gold_patch, checkout.patch({language.source: language.changed(body=language.wrong)})]
    outcomes, names, packed = [], [], {}
    for used in (True, False):
        for work in works:
            result = discount_with(built, work)
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


@pytest.mark.parametrize("subject", [pytest.param("go", marks=pytest.mark.xdist_group("go"))], indirect=True)
def test_nothing_that_hidden_tests_expect_is_kept(built: Built, cache: Path, tmp_path: Path) -> None:
    """Else work reads what a test expected before it was broken. These tests compile on the base, too."""
    _, task, checkout = built
    hidden = (
        b'package basket\n\nimport (\n\t"encoding/csv"\n\t"strings"\n\t"testing"\n)\n\nfunc TestDiscount(t *testing.T) {\n'
        b'\tif text, _ := csv.NewReader(strings.NewReader("a")).Read(); text[0] != "a" || Total(nil) != 0 {\n'
        b'\t\tt.Fatal("a discount that is told by the hidden tests alone")\n\t}\n}\n'
    )
    other = copied(task, tmp_path, "feature1/tests.patch", checkout.patch({"discount_test.go": hidden}))
    before = set((cache / "builds").glob("*"))
    assert score(
        other, {1: task.features[1].gold_patch}, backend="docker", network="none", falsify="off"
    ).verdict.passed
    (kept,) = (path for path in set((cache / "builds").glob("*")) - before if path.suffix != ".lock")
    with tarfile.open(kept) as archive:
        contents = [file.read() for member in archive if (file := archive.extractfile(member))]
    assert any(b"encoding/csv" in content for content in contents)  # what they import is there
    assert not any(b"TestDiscount" in content or b"told by the hidden" in content for content in contents)


def test_one_that_is_wrong_fails_by_the_name_of_its_test(subject: str, evaluations: dict[str, Evaluation]) -> None:
    result = discount_of(evaluations["wrong"])
    assert result.outcome is Outcome.TESTS_FAILED
    assert "iscount" in result.reason, result.reason
    assert "failed" in result.reason, result.reason
    later = [test.status for test in result.tests if test.name.endswith(SUBJECTS[subject].later)]
    assert later == [TestStatus.PASSED], result.tests


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
