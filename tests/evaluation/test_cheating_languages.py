"""Attacks against the test runners of other languages, in containers. None may pass, although most make the runner end with 0."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from cooperbench.evaluation import ScoreRequest, score_many
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.records import DropAction, Evaluation, Outcome
from tests.evaluation.attacks import go, rust, typescript
from tests.evaluation.attacks.attack import Attack
from tests.evaluation.languages import LANGUAGES, make_task
from tests.evaluation.trees import Checkout

# The first test of a language waits for all of them; the compilers are slow on a machine that is busy.
in_containers = [pytest.mark.docker, pytest.mark.slow, pytest.mark.ci, pytest.mark.timeout(1200)]

ATTACKS: dict[str, dict[str, Attack]] = {"go": go.ATTACKS, "rust": rust.ATTACKS, "typescript": typescript.ATTACKS}
VARIANTS = {
    "print events and leave before main",
    "print with the marks of test2json",
    "leave from a goroutine",
    "leave from a thread",
    "leave when the first test fails",
    "print a run and leave",
    "another matcher of the same name",
    "replace the program that reads the results",
    "report with the secret of the reporter",
    "tests that return at once",
    "read the expected value while the program is built",
    "read the expected value while the crate is built",
    "end the script that watches",
    "write to the harness's log",
    "failures become successes on their way to the framework",
    "other rules of equality",
    "equal only while a matcher compares",
    "end every process",
    "leave with a code that is kept",
    "answers are tried until the test passes",
    "a function that is written while it runs",
    "the secret, before Go begins",
    "a write of one's own",
    "write the log before main",
    "nearly everything is equal",
    "documentation that is a test",
    "sets that hold nothing, outside",
    "texts that are another outside",
    "say another thing to the one who signs",
    "a test that is run again without its body",
    "objects that are a number",
    # How their runners end depends on which thread or process is first.
    "failures are cleared while a test runs",
    "an exit that says well",
    "other tests are skipped",
    "a test in the place of one that vanishes",
}
"""Of one kind with another attack, and not run here: a suite takes 3 to 5 seconds. `benchmarks/attacks.py` runs all."""
LIE = "read the expected value in the test"
"""What lies passes here, where no tests are broken: that shows the attack and not what stops it, so one for each language will do."""
INERT = re.compile(r"fake|^(make\.rs|wrap\.sh|leave\.js|empty\.js|NOTES)$")
"""What is left of attacks by files does nothing when nothing names it."""


def is_run(language: str, name: str) -> bool:
    """Tell whether an attack is run here."""
    return name not in VARIANTS and not by_files(language, ATTACKS[language][name])


def is_extensive(language: str, name: str) -> bool:
    """Tell whether an attack runs with `--extensive` only."""
    return ATTACKS[language][name].lies and name != LIE


def by_files(language: str, attack: Attack) -> bool:
    """Tell whether an attack needs a file that is left out, so that there is nothing to run: `benchmarks/attacks.py` runs all."""
    return not attack.exits_well and set(attack.files) != {LANGUAGES[language].source}


@pytest.fixture(scope="module")
def evaluations(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, Evaluation]]:
    """All attacks of a language, evaluated at a time: two sandboxes run side by side, and others start meanwhile."""

    @cache
    def evaluate(language: str) -> dict[str, Evaluation]:
        task, checkout = make_task(LANGUAGES[language], tmp_path_factory.mktemp(language), f"basket_{language}")
        wanted = [name for name in ATTACKS[language] if is_run(language, name)]
        if not request.config.getoption("extensive"):
            wanted = [name for name in wanted if not is_extensive(language, name)]
        attacks = {name: ATTACKS[language][name] for name in wanted}
        requests = [ScoreRequest(task, {attack.feature: attack.patch(checkout)}) for attack in attacks.values()]
        scored = score_many(requests, backend="docker", network="none", time_limit=300, falsify="off")
        names = list(attacks)
        return {names[position]: evaluation for position, evaluation in scored}

    return evaluate


@pytest.mark.parametrize(
    ("language", "name"),
    [
        pytest.param(
            language,
            name,
            marks=[
                *in_containers,
                pytest.mark.xdist_group(language),
                *([pytest.mark.extensive] if is_extensive(language, name) else []),
            ],
        )
        for language in ATTACKS
        for name in ATTACKS[language]
        if is_run(language, name)
    ],
)
def test_no_attack_passes(language: str, name: str, evaluations: Callable[[str], dict[str, Evaluation]]) -> None:
    evaluation = evaluations(language)[name]
    assert evaluation.error is None, evaluation.error
    result = evaluation.stages[0].suites[0]
    # What lies and touches nothing is shown by broken tests alone.
    expected = Outcome.PASSED if ATTACKS[language][name].lies else Outcome.TESTS_FAILED
    assert result.outcome is expected, result
    assert (result.exit_code == 0) is ATTACKS[language][name].exits_well, result


@pytest.mark.parametrize(
    ("language", "name"),
    [
        (language, name)
        for language in ATTACKS
        for name, attack in ATTACKS[language].items()
        if by_files(language, attack)
    ],
)
def test_no_file_stays_that_decides_about_tests(language: str, name: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repository", LANGUAGES[language].base)
    attack = ATTACKS[language][name]
    with open_store(checkout.store) as store:
        tests = LANGUAGES[language].tests[attack.feature - 1]
        cleaned = clean_submission(store, checkout.base, attack.patch(checkout), frozenset(tests))
        assert cleaned.tree is not None, cleaned.reason
        left = {change.path for change in store.changes(checkout.base, cleaned.tree)}
    assert cleaned.dropped
    left -= {part.path for part in cleaned.dropped if part.action is DropAction.PARTLY_RESTORED}
    assert not {path for path in left if path != LANGUAGES[language].source and not INERT.search(path)}
