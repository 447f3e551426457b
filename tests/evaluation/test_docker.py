"""The same evaluator on Docker: the same verdicts, and no attack passes there either."""

import pytest

from cooperbench.environments import build_image
from cooperbench.evaluation import score
from cooperbench.records import Evaluation, Outcome
from cooperbench.tasks import Task
from tests.evaluation.attacks import python_sandbox
from tests.evaluation.edits import base_checkout
from tests.evaluation.test_cheating import ATTACKS, FEATURE
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("evaluation-docker")]

BASE_IMAGE = "cooperbench-test/base:latest"


@pytest.fixture(scope="module")
def on_docker(shelfdb: Task) -> Task:
    """The bundled task with its own image, under a name of these tests: a user's image is not replaced."""
    recipe = shelfdb.recipe.model_copy(update={"name": "cooperbench-test/shelfdb:evaluation", "bundled": False})
    build_image("docker", recipe, base_image=BASE_IMAGE)
    return Task(shelfdb.repo, shelfdb.task_id, shelfdb.path, recipe.name, recipe, shelfdb.features)


def facts(evaluation: Evaluation) -> object:
    assert evaluation.error is None, evaluation.error
    return [
        (
            stage.name,
            stage.status,
            stage.tree,
            [(suite.outcome, suite.reason, sorted(test.name for test in suite.tests)) for suite in stage.suites],
        )
        for stage in evaluation.stages
    ]


@pytest.fixture(scope="module")
def checkout(shelfdb: Task, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return base_checkout(shelfdb, tmp_path_factory.mktemp("attack") / "repo")


# The first merges by union and passes.
@pytest.mark.parametrize("pair", [(1, 2), (4, 5)], ids=["conflicts", "breaks"])
def test_the_same_verdicts_as_on_the_local_backend(shelfdb: Task, on_docker: Task, pair: tuple[int, int]) -> None:
    patches = {number: shelfdb.features[number].gold_patch for number in pair}
    local = score(shelfdb, patches, backend="local", falsify="off")
    docker = score(on_docker, patches, backend="docker", falsify="off")
    assert facts(docker) == facts(local)
    assert docker.verdict == local.verdict
    assert docker.key != local.key  # another image


@pytest.mark.parametrize(
    "name",
    [
        "programs on the path",
        "write the report",
        "links out of the tree",
        "leave processes behind",
        "remove the programs",
    ],
)
def test_no_attack_passes(on_docker: Task, checkout: Checkout, name: str) -> None:
    """Those by files and in memory of the test runner meet the same code on every backend."""
    patch = {**ATTACKS, **python_sandbox.ATTACKS}[name].patch(checkout)
    evaluation = score(on_docker, {FEATURE: patch}, backend="docker", time_limit=60, falsify="off")
    assert evaluation.verdict.outcome in (Outcome.TESTS_FAILED, Outcome.NO_PATCH), evaluation.verdict
