"""Attacks against the test runners of other languages, in containers. None may pass, although most make the runner end with 0."""

import pytest

from cooperbench.evaluation import score
from cooperbench.records import Outcome
from cooperbench.tasks import Task
from tests.evaluation.attacks import Attack, go, rust, typescript
from tests.evaluation.languages import LANGUAGES, make_task
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ATTACKS: dict[str, dict[str, Attack]] = {"go": go.ATTACKS, "rust": rust.ATTACKS, "typescript": typescript.ATTACKS}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Task, Checkout]]:
    return {
        name: make_task(language, tmp_path_factory.mktemp(name), f"basket_{name}")
        for name, language in LANGUAGES.items()
    }


@pytest.mark.parametrize(("language", "name"), [(language, name) for language in ATTACKS for name in ATTACKS[language]])
def test_no_attack_passes(language: str, name: str, built: dict[str, tuple[Task, Checkout]]) -> None:
    task, checkout = built[language]
    attack = ATTACKS[language][name]
    patch = checkout.patch(dict(attack.files))
    evaluation = score(task, {attack.feature: patch}, backend="docker", network="none", time_limit=300)
    assert evaluation.error is None, evaluation.error
    result = evaluation.stages[0].suites[0]
    assert result.outcome is Outcome.TESTS_FAILED, result
    assert (result.exit_code == 0) is attack.exits_well, result
