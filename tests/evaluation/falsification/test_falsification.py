"""A pass is proven by broken tests: work that forces results passes what nobody can pass."""

from dataclasses import replace
from pathlib import Path

import pytest

from cooperbench.errors import EvaluationError
from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission, reward, score
from cooperbench.evaluation.falsification import FeatureRuns
from cooperbench.evaluation.falsification.challenges import make_challenge
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.records import Evaluation, EvaluationChoices, FalsificationStatus, Outcome, SuiteResult
from cooperbench.tasks import Task
from tests.evaluation.edits import base_checkout
from tests.evaluation.falsification.sums import (
    GOLD,
    LIES,
    append,
    bench_of,
    evaluated,
    make_task,
    proof,
    same_challenge,
)
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

apart = pytest.mark.xdist_group("falsification-apart")
"""For tests with tasks of their own: another worker may run them."""

TESTS = b"""import pytest

from ledgerkit import add, name


def test_small():
    assert add(1, 2) == 3


@pytest.mark.parametrize("n", [4, 5])
def test_more(n):
    assert add(n, 0) in (4, 5)
    assert add(10, 20) == 30


@pytest.mark.parametrize(("number", "text"), [(1, "two"), (2, "three")])
def test_names(number, text):
    assert name(add(number, 1)) == text


def test_refuses():
    with pytest.raises(TypeError):
        add(None, 1)
"""


@pytest.fixture(scope="module")
def checkout(ledgerkit: Task, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return base_checkout(ledgerkit, tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def sums(ledgerkit: Task, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return make_task(ledgerkit, checkout, tmp_path_factory.mktemp("dataset"), TESTS)


@pytest.fixture(scope="module")
def lies(checkout: Checkout) -> bytes:
    """Work whose results are equal to whatever they are compared with. No function of the test runner is touched."""
    return append(checkout, LIES)


@pytest.fixture(scope="module")
def held(sums: Task) -> Evaluation:
    return evaluated(sums, sums.features[1].gold_patch, "one")


@pytest.fixture(scope="module")
def forced(sums: Task, lies: bytes) -> Evaluation:
    return evaluated(sums, lies, "one")


def test_the_gold_patch_holds(held: Evaluation) -> None:
    assert held.verdict.passed
    assert reward(held, "alone", feature=1) == 1
    found = proof(held)
    assert (found.status, found.broken, found.runs, found.mismatch) == (FalsificationStatus.HELD, 4, 2, None)


def test_forced_results_are_an_outcome_of_their_own(sums: Task, lies: bytes, forced: Evaluation) -> None:
    assert score(sums, {1: lies}, falsify="off").verdict.passed
    evaluation = forced
    assert evaluation.verdict.outcome is Outcome.FORCED
    assert reward(evaluation) == reward(evaluation, "share") == reward(evaluation, "own", feature=1) == 0
    assert reward(evaluation, "alone", feature=1) == 0
    found = proof(evaluation)
    assert found.mismatch is not None
    assert found.mismatch.edit is not None
    assert found.mismatch.edit.after in evaluation.verdict.features[0].reason
    assert (found.mismatch.expected, found.mismatch.found) == ("failed", "passed")
    assert found.runs == 4  # each half again, in another sandbox


def test_what_does_not_pass_needs_no_proof(sums: Task, checkout: Checkout) -> None:
    wrong = append(checkout, GOLD.replace(b"one + other", b"one - other"))
    evaluation = score(sums, {1: wrong})
    assert evaluation.verdict.outcome is Outcome.TESTS_FAILED
    assert evaluation.stages[0].suites[0].falsification is None


def test_work_of_one_member_is_proven_where_the_merge_does_not_pass(
    sums: Task, checkout: Checkout, lies: bytes
) -> None:
    settings = EvaluationSettings(choices=EvaluationChoices(singles="own"))
    beside = checkout.patch({"notes.txt": b"nothing\n"})

    def evaluated(patch: bytes) -> tuple[SuiteResult, SuiteResult]:
        submissions = [(make_submission("agent1", (1,), patch), patch), (make_submission("agent2", (), beside), beside)]
        stages = {stage.name: stage for stage in evaluate_submissions(sums, (1,), submissions, settings).stages}
        return stages["naive"].suites[0], stages["single:agent1"].suites[0]

    merged, alone = evaluated(sums.features[1].gold_patch)
    assert (merged.outcome, alone.outcome, alone.falsification) == (Outcome.PASSED, Outcome.PASSED, None)
    assert merged.falsification is not None
    merged, alone = evaluated(lies)
    assert (merged.outcome, alone.outcome) == (Outcome.FORCED, Outcome.FORCED)


@pytest.mark.parametrize(
    ("work", "outcome", "runs"),
    [(GOLD, Outcome.PASSED, 2), (LIES, Outcome.FORCED, 4), (GOLD.replace(b"+", b"-"), Outcome.TESTS_FAILED, None)],
    ids=["held", "forced", "failed"],
)
def test_where_processors_idle_all_begins_together(
    sums: Task, checkout: Checkout, held: Evaluation, work: bytes, outcome: Outcome, runs: int | None
) -> None:
    patch = append(checkout, work)
    # What is broken together with the suite is what the gold patch's own runs are known of.
    suite = evaluated(sums, patch, same_challenge(sums, patch, held), workers=3).stages[0].suites[0]
    assert suite.outcome is outcome
    assert (suite.falsification.runs if suite.falsification else None) == runs


def test_work_that_breaks_down_where_it_cannot_win_has_forced(sums: Task, checkout: Checkout) -> None:
    """A reader of the tests' source, which ends the process as soon as an expectation looks wrong."""
    reader = b"""
import pathlib
if "== 3\\n" not in pathlib.Path("tests/test_sums.py").read_text():
    __import__("os")._exit(0)
"""
    evaluation = score(sums, {1: append(checkout, GOLD + reader)})
    assert evaluation.verdict.outcome is Outcome.FORCED
    assert "no report" in evaluation.verdict.features[0].reason


UNITTESTS = b"""import unittest

from ledgerkit import add, name


class TestSums(unittest.TestCase):
    def test_small(self):
        self.assertEqual(add(1, 2), 3)

    def test_more(self):
        self.assertEqual(add(10, 20), 30)

    def test_name(self):
        self.assertEqual(name(2), "two")
"""


@pytest.mark.ci
@apart
@pytest.mark.parametrize(
    ("path", "source"), [("src:$PYTHONPATH", "unittest-guard"), ("src", "unittest-text")], ids=["signed", "read"]
)
def test_unittest(ledgerkit: Task, checkout: Checkout, lies: bytes, tmp_path: Path, path: str, source: str) -> None:
    command = f"PYTHONPATH={path} python3 -m unittest -v tests.test_sums"
    task = make_task(ledgerkit, checkout, tmp_path, UNITTESTS, command)
    held = evaluated(task, task.features[1].gold_patch, "one")
    assert held.verdict.passed, held.verdict
    found = proof(held)
    assert held.stages[0].suites[0].source == source
    assert (found.status, found.broken, found.runs) == (FalsificationStatus.HELD, 3, 2)
    assert evaluated(task, lies, same_challenge(task, lies, held)).verdict.outcome is Outcome.FORCED


@pytest.mark.ci
@apart
def test_threads_that_outlive_a_failed_test_are_no_force(ledgerkit: Task, checkout: Checkout, tmp_path: Path) -> None:
    """The process does not end, but every test was reported, as with the gold patch."""
    tests = b"""from ledgerkit import add


def test_sum():
    total = add(1, 2)
    assert total == 3
    getattr(total, "stop", int)()


def test_other():
    total = add(2, 2)
    assert total == 4
    getattr(total, "stop", int)()


def test_third():
    total = add(2, 3)
    assert total == 5
    getattr(total, "stop", int)()
"""
    server = b"""
import threading

class _Sum(int):
    def __init__(self, value):
        done = threading.Event()
        self.stop = done.set
        threading.Thread(target=done.wait).start()

def add(one, other):
    return _Sum(one + other)
"""
    task = make_task(ledgerkit, checkout, tmp_path, tests)
    evaluation = score(task, {1: append(checkout, server)}, time_limit=5)
    assert evaluation.verdict.passed, evaluation.verdict
    assert proof(evaluation).status is FalsificationStatus.HELD


@pytest.mark.ci
def test_work_that_hangs_on_broken_tests_has_not_passed(sums: Task, checkout: Checkout) -> None:
    """Who may hang need not be caught: what the time limit ends is not a pass, and not taken for force either."""
    reader = b"""
import pathlib
if "== 3\\n" not in pathlib.Path("tests/test_sums.py").read_text():
    __import__("time").sleep(600)
"""
    evaluation = score(sums, {1: append(checkout, GOLD + reader)}, time_limit=5)
    assert evaluation.verdict.outcome is Outcome.TESTS_FAILED
    assert "not proven: with broken tests, time limit reached" in evaluation.verdict.features[0].reason
    assert proof(evaluation).status is FalsificationStatus.UNFINISHED


def test_a_seed_breaks_the_same_tests_again(sums: Task, lies: bytes, forced: Evaluation) -> None:
    found = [proof(forced), proof(evaluated(sums, lies, "one"))]
    first, again = [(each.seed, each.challenge, each.reason, each.mismatch) for each in found]
    assert first == again
    assert first[0] == "one"


def test_every_new_test_can_be_broken(sums: Task) -> None:
    with bench_of(sums) as bench:
        pool = bench.breakable(bench.reference(1))
    assert not pool.unbreakable
    assert {each.function.name for each in pool.breakable} == {"test_small", "test_more", "test_names", "test_refuses"}
    assert all(each.function.edits[0].patched for each in pool.breakable)


def test_a_measure_that_takes_too_long_is_a_failure_of_the_evaluation(sums: Task) -> None:
    """A pass that could not be tried today is tried again, and not taken for granted."""
    with bench_of(sums) as bench:
        reference = bench.reference(1)
        pool = bench.breakable(reference)
        gold = apply_exactly(bench.store, bench.base.tree, sums.features[1].gold_patch)
        assert gold is not None
        bench.runner.settings = replace(bench.runner.settings, choices=EvaluationChoices(time_limit=0.2))
        with pytest.raises(EvaluationError, match="reached the time limit"):
            make_challenge(FeatureRuns(bench.runner, 1, gold, reference, skip_install=False), pool, 0)


@apart
def test_nothing_can_be_proven_where_the_tests_pass_anyway(ledgerkit: Task, checkout: Checkout, tmp_path: Path) -> None:
    easy = make_task(ledgerkit, checkout, tmp_path, b"def test_more():\n    assert 1 + 1 == 2\n")
    found = proof(score(easy, {1: easy.features[1].gold_patch}))
    assert found.status is FalsificationStatus.UNAVAILABLE
    assert found.reason == "every test passes without the gold patch"


@apart
def test_one_test_alone_runs_four_times(ledgerkit: Task, checkout: Checkout, lies: bytes, tmp_path: Path) -> None:
    """Of two runs a coin would guess too much."""
    tests = b"from ledgerkit import add\n\n\ndef test_one():\n    assert add(1, 2) == 3\n"
    alone = make_task(ledgerkit, checkout, tmp_path, tests)
    held = score(alone, {1: alone.features[1].gold_patch})
    found = proof(held)
    assert (found.status, found.broken, found.runs) == (FalsificationStatus.HELD, 1, 4)
    assert evaluated(alone, lies, same_challenge(alone, lies, held)).verdict.outcome is Outcome.FORCED
