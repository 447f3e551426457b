"""Patches that do nothing of what was asked and try to pass all the same. None may pass, none may leave the sandbox."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cooperbench.environments import SandboxLabels
from cooperbench.evaluation import EvaluationSettings, evaluate_submissions, make_submission, score
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.evaluation.stages import hidden_paths
from cooperbench.evaluation.suites import Suite, run_suite
from cooperbench.evaluation.testbench import TestBench
from cooperbench.records import DropAction, DropRule, Evaluation, EvaluationChoices, Outcome
from cooperbench.tasks import Task
from tests.evaluation.attacks import (
    attack,
    honest,
    python_dodges,
    python_files,
    python_lies,
    python_names,
    python_plausible,
    python_process,
    python_sandbox,
)
from tests.evaluation.edits import append, base_checkout, seed_for, together
from tests.evaluation.trees import Checkout

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

FEATURE = 3
SOURCE = attack.IMPORTED
ATTACKS = {**python_files.ATTACKS, **python_process.ATTACKS, **python_names.ATTACKS}
BREAKING = {**python_sandbox.ATTACKS, **python_dodges.ATTACKS}
_PLAUSIBLE = "read, if it is made of what was given"
LIES = {**python_lies.ATTACKS, _PLAUSIBLE: python_plausible.ATTACKS[_PLAUSIBLE]}
FAILING = "a failing test of its own"
BITING = ("conftest at the root", "stand in for shlex", "os._exit", "CallInfo.from_call", "planted byte code")
"""One of each kind that makes a runner that is left alone end with exit code 0; `benchmarks/attacks.py` tries all."""


@pytest.fixture(scope="module")
def checkout(shelfdb: Task, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return base_checkout(shelfdb, tmp_path_factory.mktemp("attack") / "repo")


@pytest.fixture(scope="module")
def clean(shelfdb: Task) -> Iterator[Callable[[bytes], str | None]]:
    """Return the tree that is tested of a patch."""
    base = base_of(shelfdb, "local")
    with open_store(base.store) as store:
        bench = TestBench(shelfdb, base, store, EvaluationSettings(), SandboxLabels(run="evaluation"))
        hidden, surroundings = hidden_paths(shelfdb, (FEATURE,)), bench.surroundings((FEATURE,))
        tree = bench.base.tree
        yield lambda patch: clean_submission(store, tree, patch, hidden, surroundings=surroundings).tree


@pytest.fixture(scope="module")
def judged() -> dict[str | None, Evaluation]:
    """Evaluations of trees: of 17 attacks nothing stays that another does not leave as well."""
    return {}


@pytest.fixture
def nothing_escapes() -> Iterator[None]:
    marks = [Path("/tmp/cooperbench-escape"), Path("/tmp/cooperbench-hook")]
    assert not any(mark.exists() for mark in marks)
    yield
    assert not any(mark.exists() for mark in marks)


def assert_failed(evaluation: Evaluation) -> None:
    assert evaluation.verdict.outcome in (Outcome.TESTS_FAILED, Outcome.NO_PATCH, Outcome.PATCH_REJECTED), (
        evaluation.verdict
    )


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.usefixtures("nothing_escapes")
def test_no_attack_passes(
    name: str,
    shelfdb: Task,
    checkout: Checkout,
    clean: Callable[[bytes], str | None],
    judged: dict[str | None, Evaluation],
) -> None:
    limit = 6 if name == "output without end" else 30
    patch = ATTACKS[name].patch(checkout)
    tree = clean(patch)
    if tree not in judged:
        judged[tree] = score(shelfdb, {FEATURE: patch}, time_limit=limit)
        assert judged[tree].stages[0].tree in (tree, None)  # None where nothing is left of the patch
    assert_failed(judged[tree])


@pytest.mark.parametrize(
    "name",
    [
        "end every process",
        "a pipe in the place of the report",
        "a device in the place of the report",
        "a machine without a network",
        "a number without an end",
    ],
)
def test_who_breaks_the_sandbox_has_failed(name: str, shelfdb: Task, checkout: Checkout) -> None:
    """An `infra_error` would be left out of every score."""
    assert_failed(score(shelfdb, {FEATURE: BREAKING[name].patch(checkout)}, time_limit=8))


@pytest.mark.parametrize("name", BITING)
def test_the_attacks_are_real(name: str, shelfdb: Task, checkout: Checkout) -> None:
    suite = Suite(shelfdb.features[FEATURE].tests_patch, ATTACKS[name].patch(checkout))
    run = run_suite(shelfdb, suite, EvaluationSettings(choices=EvaluationChoices(time_limit=30)))
    assert run.exit_code == 0, run.output[-2000:]


@pytest.mark.xdist_group("lies")
@pytest.mark.parametrize("name", LIES)
def test_what_touches_nothing_is_shown_by_broken_tests(
    name: str, shelfdb: Task, checkout: Checkout, clean: Callable[[bytes], str | None]
) -> None:
    patch = LIES[name].patch(checkout)
    # All meet the same broken tests: what the gold patch does with them costs as much as an attack.
    seed = seed_for(0, FEATURE, str(clean(patch)))
    settings = EvaluationSettings(choices=EvaluationChoices(time_limit=60))
    submission = make_submission("agent1", (FEATURE,), patch)
    evaluation = evaluate_submissions(shelfdb, (FEATURE,), [(submission, patch)], settings, seed=seed)
    # A thread that rewrites the results may come too late for some.
    late = (Outcome.TESTS_FAILED,) if name == "the record of the results" else ()
    assert evaluation.verdict.outcome in (Outcome.FORCED, *late), evaluation.verdict


@pytest.mark.parametrize(
    "names", [[name for name in honest.FILES if name != FAILING], [FAILING]], ids=["files", FAILING]
)
def test_honest_work_passes(names: list[str], shelfdb: Task, checkout: Checkout) -> None:
    """All files at a time: one that is held against the work fails it, whatever else is there."""
    changes = {path: data for name in names for path, data in honest.FILES[name].items()}
    assert len(changes) == sum(len(honest.FILES[name]) for name in names)
    patch = together(checkout, shelfdb.features[FEATURE].gold_patch, changes=changes)
    assert score(shelfdb, {FEATURE: patch}, time_limit=60, falsify="off").verdict.passed


@pytest.mark.parametrize("name", honest.APPENDED)
def test_honest_code_passes(name: str, shelfdb: Task, checkout: Checkout) -> None:
    code = (checkout.path / SOURCE).read_bytes() + b"\n\n" + honest.APPENDED[name].encode()
    patch = together(checkout, shelfdb.features[FEATURE].gold_patch, changes={SOURCE: code})
    assert score(shelfdb, {FEATURE: patch}, time_limit=60, falsify="off").verdict.passed


def test_honest_configuration_stays(shelfdb: Task, checkout: Checkout) -> None:
    patch = honest.dependency(checkout, shelfdb.features[FEATURE].gold_patch)
    evaluation = score(shelfdb, {FEATURE: patch}, time_limit=60, falsify="off")
    assert evaluation.verdict.passed
    assert not evaluation.dropped


def test_without_protection_an_attack_passes(shelfdb: Task, checkout: Checkout) -> None:
    """The door that measures attacks is open only on request, and leaves nothing for others behind."""
    patch = ATTACKS["conftest at the root"].patch(checkout)
    submission = make_submission("agent1", (FEATURE,), patch)
    open_door = EvaluationSettings(protected=False, choices=EvaluationChoices(falsify="off"))
    unprotected = evaluate_submissions(shelfdb, (FEATURE,), [(submission, patch)], open_door)
    assert unprotected.verdict.passed
    assert not unprotected.dropped
    assert_failed(score(shelfdb, {FEATURE: patch}, time_limit=30))


def test_the_record_says_what_was_left_out(shelfdb: Task, checkout: Checkout) -> None:
    files = ATTACKS["configuration deleted"].files
    evaluation = score(shelfdb, {FEATURE: checkout.patch({**files, "shlex.py": b"x = 1\n"})}, time_limit=30)
    assert {(part.path, part.rule, part.action) for part in evaluation.dropped} == {
        ("pyproject.toml", DropRule.TEST_CONFIGURATION, DropAction.PARTLY_RESTORED),
        ("setup.cfg", DropRule.TEST_CONFIGURATION, DropAction.PARTLY_RESTORED),
        ("shlex.py", DropRule.STAND_IN, DropAction.LEFT_OUT),
    }
    changed = score(shelfdb, {FEATURE: ATTACKS["a plugin is registered"].patch(checkout)}, time_limit=30)
    assert "plugin evil" in changed.stages[0].suites[0].changed


def test_a_patch_reaches_nothing_over_the_network(shelfdb: Task, checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reached: list[object] = []

        def accept() -> None:
            try:
                reached.append(server.accept()[1])
            except OSError:
                return

        listener = threading.Thread(target=accept)
        listener.start()
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=3)\n"
        evaluation = score(shelfdb, {FEATURE: append(checkout, SOURCE, code)}, time_limit=12)
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert_failed(evaluation)
    assert not reached


def test_a_patch_cannot_read_the_users_home(shelfdb: Task, checkout: Checkout, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not read")
    code = (
        f"import os, pathlib\nfor _p in ({str(secret)!r}, {str(Path.home())!r} + '/.ssh', {str(Path.home())!r} + '/.aws'):\n"
        "    if pathlib.Path(_p).exists(): raise RuntimeError('reached ' + _p)\n"
        f"if os.environ.get('COOPERBENCH_SECRET'): raise RuntimeError('reached the environment')\n"
    )
    os.environ["COOPERBENCH_SECRET"] = "x"
    try:
        evaluation = score(shelfdb, {FEATURE: append(checkout, SOURCE, code)}, time_limit=12)
    finally:
        del os.environ["COOPERBENCH_SECRET"]
    assert_failed(evaluation)
    assert "reached" not in evaluation.stages[0].suites[0].output_tail


HUGE: dict[str, Callable[[], bytes]] = {
    "a patch of 65 MB": lambda: attack.raw_file("src/big.txt", "x\n" * 4) + b"+" * (65 << 20),
    "a patch that is no patch": lambda: b"\0\xff not a patch\n" * 100,
}


@pytest.mark.parametrize("name", HUGE)
def test_submissions_that_are_no_patches_are_rejected(name: str, shelfdb: Task) -> None:
    assert score(shelfdb, {FEATURE: HUGE[name]()}).verdict.outcome is Outcome.PATCH_REJECTED
