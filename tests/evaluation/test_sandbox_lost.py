"""A sandbox that dies while tests run says nothing about the patch."""

import threading
from pathlib import Path

import pytest

from cooperbench.environments import SandboxHandle, attach
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.evaluation import score
from cooperbench.records import Evaluation, Outcome, read_model
from cooperbench.tasks import Task
from tests.evaluation.edits import base_checkout, together

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

FEATURE = 3
SOURCE = "src/shelfdb/__init__.py"


def score_while_killing(task: Task, patch: bytes, handles: Path, kills: int) -> Evaluation:
    """Score a patch whose tests take a while, and end the first `kills` sandboxes in the middle."""
    finished = threading.Event()
    killed: list[str] = []

    def kill() -> None:
        while not finished.wait(0.05) and len(killed) < kills:
            for file in handles.glob("*.json"):
                if file.stem in killed or finished.wait(1.0):
                    continue
                try:
                    handle = read_model(file, SandboxHandle)
                except FileNotFoundError:
                    continue
                killed.append(file.stem)
                attach(handle).cleanup()

    killer = threading.Thread(target=kill)
    with activate(EnvironmentScope(handles=handles)):
        killer.start()
        try:
            return score(task, {FEATURE: patch}, time_limit=120, falsify="off")
        finally:
            finished.set()
            killer.join()


@pytest.mark.ci
@pytest.mark.parametrize(("kills", "outcome"), [(1, Outcome.PASSED), (9, Outcome.INFRA_ERROR)])
def test_it_is_tried_again_and_never_scored(shelfdb: Task, tmp_path: Path, kills: int, outcome: Outcome) -> None:
    checkout = base_checkout(shelfdb, tmp_path / "repo")
    gold = shelfdb.features[FEATURE].gold_patch
    assert score(
        shelfdb, {FEATURE: gold}, falsify="off"
    ).verdict.passed  # the measure is known before anything is killed
    slow = (checkout.path / SOURCE).read_bytes() + b"\nimport time; time.sleep(5)\n"
    handles = tmp_path / "handles"
    handles.mkdir()
    evaluation = score_while_killing(shelfdb, together(checkout, gold, changes={SOURCE: slow}), handles, kills)
    assert evaluation.verdict.outcome is outcome, evaluation.verdict
