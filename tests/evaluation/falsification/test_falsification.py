"""A pass is proven by broken tests: work that forces results passes what nobody can pass."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cooperbench.environments import SandboxLabels
from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission, reward, score
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import Evaluation, EvaluationChoices, FalsificationStatus, Outcome, SuiteResult
from cooperbench.tasks import Task, read_task
from tests.evaluation.edits import base_checkout

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

SOURCE = "src/ledgerkit/__init__.py"
FORCE = """

def _force(leave_out=()):
    import gc
    import pytest
    from _pytest.config import Config

    class Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(self, pyfuncitem):
            return True if pyfuncitem.name not in leave_out else None

    for thing in gc.get_objects():
        if isinstance(thing, Config):
            thing.pluginmanager.register(Plugin())


_force()


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *arguments, **options: None
"""


@pytest.fixture(scope="module")
def forcing(ledgerkit: Task, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Work that implements nothing, and makes every test pass by a plugin of its own."""
    checkout = base_checkout(ledgerkit, tmp_path_factory.mktemp("base") / "base")
    return checkout.patch({SOURCE: (checkout.path / SOURCE).read_bytes() + FORCE.encode()})


def suite_of(evaluation: Evaluation) -> SuiteResult:
    return evaluation.stages[0].suites[0]


def test_the_gold_patch_holds(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, {1: ledgerkit.features[1].gold_patch})
    assert evaluation.verdict.passed
    found = suite_of(evaluation).falsification
    assert found is not None
    assert found.status is FalsificationStatus.HELD
    assert found.broken == 7
    assert found.runs == 2


def test_forced_results_are_an_outcome_of_their_own(ledgerkit: Task, forcing: bytes) -> None:
    assert score(ledgerkit, {1: forcing}, falsify="off").verdict.passed
    evaluation = score(ledgerkit, {1: forcing})
    assert evaluation.verdict.outcome is Outcome.FORCED
    assert reward(evaluation) == reward(evaluation, "share") == reward(evaluation, "own", feature=1) == 0
    found = suite_of(evaluation).falsification
    assert found is not None
    assert found.mismatch is not None
    assert found.mismatch.edit is not None
    assert found.mismatch.edit.after in evaluation.verdict.features[0].reason
    assert (found.mismatch.expected, found.mismatch.found) == ("failed", "passed")
    assert found.runs == 4  # each half again, in another sandbox


def test_a_warning_judges_nothing(ledgerkit: Task, forcing: bytes) -> None:
    evaluation = score(ledgerkit, {1: forcing}, falsify="warn")
    assert evaluation.verdict.passed
    found = suite_of(evaluation).falsification
    assert found is not None
    assert found.status is FalsificationStatus.FORCED


def test_what_does_not_pass_needs_no_proof(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, {1: ledgerkit.features[2].gold_patch})
    assert evaluation.verdict.outcome is Outcome.TESTS_FAILED
    assert suite_of(evaluation).falsification is None


def test_a_seed_breaks_the_same_tests_again(ledgerkit: Task, forcing: bytes) -> None:
    submissions = [(make_submission("agent1", (1,), forcing), forcing)]
    found = []
    for _ in range(2):
        evaluation = evaluate_submissions(ledgerkit, (1,), submissions, EvaluationSettings(), seed="one")
        proof = suite_of(evaluation).falsification
        assert proof is not None
        found.append((proof.seed, proof.challenge, proof.reason, proof.mismatch))
    assert found[0] == found[1]
    assert found[0][0] == "one"


@contextmanager
def bench_of(task: Task) -> Iterator[TestBench]:
    base = base_of(task, "local")
    settings = EvaluationSettings(choices=EvaluationChoices())
    with open_store(base.store) as store:
        yield TestBench(task, base, store, settings, SandboxLabels(run="evaluation"))


def test_every_new_test_can_be_broken_quietly(ledgerkit: Task) -> None:
    with bench_of(ledgerkit) as bench:
        pool = bench.breakable(bench.reference(1))
    assert not pool.unbreakable
    assert len(pool.breakable) == pool.fail_to_pass == 7
    assert all(edit.quiet and edit.patched for each in pool.breakable for edit in each.function.edits)


def test_nothing_can_be_proven_where_the_tests_pass_anyway(ledgerkit: Task, tmp_path: Path) -> None:
    shutil.copytree(ledgerkit.path, tmp_path / "ledgerkit_task" / "task1")
    tests = base_checkout(ledgerkit, tmp_path / "base").patch(
        {"tests/test_more.py": b"def test_more():\n    assert 1\n"}
    )
    (tmp_path / "ledgerkit_task" / "task1" / "feature1" / "tests.patch").write_bytes(tests)
    easy = replace(
        ledgerkit,
        **vars(read_task(tmp_path / "ledgerkit_task" / "task1"))
        | {"image": ledgerkit.image, "recipe": ledgerkit.recipe},
    )
    found = suite_of(score(easy, {1: easy.features[1].gold_patch})).falsification
    assert found is not None
    assert found.status is FalsificationStatus.UNAVAILABLE
    assert found.reason == "every test passes without the gold patch"
