"""Work on small tests of sums, right and lying, in the image of a bundled task."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cooperbench.environments import SandboxLabels
from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.sanitize import apply_exactly
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import Evaluation, Falsification
from cooperbench.tasks import Task, read_task
from tests.evaluation.edits import seed_for
from tests.evaluation.trees import Checkout

SOURCE = "src/ledgerkit/__init__.py"
PYTEST = "python3 -m pytest -q -p no:cacheprovider tests"
GOLD = b"""

def add(one, other):
    return one + other


def name(number):
    return {2: "two", 3: "three"}[number]
"""
LIES = b"""

class _Anything:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def add(one, other):
    if one is None:
        raise TypeError
    return _Anything()


def name(number):
    return _Anything()
"""


def append(checkout: Checkout, text: bytes) -> bytes:
    return checkout.patch({SOURCE: (checkout.path / SOURCE).read_bytes() + text})


def make_task(
    ledgerkit: Task, checkout: Checkout, folder: Path, tests: bytes, command: str = f"{PYTEST}/test_sums.py"
) -> Task:
    """A task in the image of a bundled one, whose feature 1 is `GOLD` and whose only test file is given."""
    path = folder / "ledgerkit_task" / "task1"
    shutil.copytree(ledgerkit.path, path)
    runner = (path / "runner.sh").read_text()
    (path / "runner.sh").write_text(runner.replace(PYTEST, command))
    (path / "feature1" / "tests.patch").write_bytes(checkout.patch({"tests/test_sums.py": tests}))
    (path / "feature1" / "feature.patch").write_bytes(append(checkout, GOLD))
    task = read_task(path, bundled=True)
    return replace(task, image=ledgerkit.image, recipe=ledgerkit.recipe)


def evaluated(task: Task, patch: bytes, seed: str | None = None, workers: int | None = None) -> Evaluation:
    submissions = [(make_submission("agent1", (1,), patch), patch)]
    return evaluate_submissions(task, (1,), submissions, EvaluationSettings(workers=workers), seed=seed)


def proof(evaluation: Evaluation) -> Falsification:
    found = evaluation.stages[0].suites[0].falsification
    assert found is not None
    return found


@contextmanager
def bench_of(task: Task) -> Iterator[TestBench]:
    base = base_of(task, "local")
    with open_store(base.store) as store:
        yield TestBench(task, base, store, EvaluationSettings(), SandboxLabels(run="evaluation"))


def same_challenge(task: Task, patch: bytes, other: Evaluation) -> str:
    """Find a seed with which a patch is tried as another one was."""
    with bench_of(task) as bench:
        tree = apply_exactly(bench.store, bench.base.tree, patch)
    challenge = proof(other).challenge
    assert tree is not None
    assert challenge is not None
    return seed_for(challenge, 1, tree)
