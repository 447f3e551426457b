"""Attacks against the test runners of other languages, in containers. None may pass, although most make the runner end with 0."""

from collections.abc import Callable
from functools import cache

import pytest

from cooperbench.evaluation import ScoreRequest, score_many
from cooperbench.records import Evaluation, Outcome
from tests.evaluation.attacks import Attack, go, rust, typescript
from tests.evaluation.languages import LANGUAGES, make_task

# The first test of a language waits for all of them; the compilers are slow on a machine that is busy.
pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1200)]

ATTACKS: dict[str, dict[str, Attack]] = {"go": go.ATTACKS, "rust": rust.ATTACKS, "typescript": typescript.ATTACKS}


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Evaluation]]:
    """All attacks of a language, evaluated at a time: two sandboxes run side by side, and others start meanwhile."""

    @cache
    def evaluate(language: str) -> dict[str, Evaluation]:
        task, checkout = make_task(LANGUAGES[language], tmp_path_factory.mktemp(language), f"basket_{language}")
        attacks = ATTACKS[language]
        requests = [
            ScoreRequest(task, {attack.feature: checkout.patch(dict(attack.files))}) for attack in attacks.values()
        ]
        scored = score_many(requests, backend="docker", network="none", time_limit=300)
        names = list(attacks)
        return {names[position]: evaluation for position, evaluation in scored}

    return evaluate


@pytest.mark.parametrize(
    ("language", "name"),
    [
        pytest.param(language, name, marks=pytest.mark.xdist_group(language))
        for language in ATTACKS
        for name in ATTACKS[language]
    ],
)
def test_no_attack_passes(language: str, name: str, evaluations: Callable[[str], dict[str, Evaluation]]) -> None:
    evaluation = evaluations(language)[name]
    assert evaluation.error is None, evaluation.error
    result = evaluation.stages[0].suites[0]
    assert result.outcome is Outcome.TESTS_FAILED, result
    assert (result.exit_code == 0) is ATTACKS[language][name].exits_well, result
