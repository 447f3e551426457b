"""Sandboxes are started ahead of their suites: how many, for whom, and that they end."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

import pytest

from cooperbench.environments import Environment, orphans
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.errors import EvaluationError
from cooperbench.evaluation import (
    EvaluationSettings,
    ScoreRequest,
    ThreadSlots,
    processors,
    score,
    score_many,
    wait_for_endings,
)
from cooperbench.evaluation.suites import Suite, SuiteRun, run_suite
from cooperbench.records import Evaluation, EvaluationChoices
from cooperbench.tasks import Task

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow, pytest.mark.xdist_group("slots")]

FEATURE = 1
PAIRS = ((1, 3), (1, 5), (3, 5))


@dataclass
class Watch:
    """What sandboxes of this process do."""

    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    """+1 for each start and -1 for each end, in order."""
    ready: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def start(self, environment: Environment) -> None:
        self.started.append(environment.handle().identifier)
        self.changes.append(1)
        self.ready.release()

    def end(self, environment: Environment) -> None:
        self.ended.append(environment.handle().identifier)
        self.changes.append(-1)


@pytest.fixture(scope="module")
def measured(shelfdb: Task) -> Task:
    """The task, with the gold patches' own runs of its features made: what is counted below are sandboxes of suites."""
    for feature in (1, 3, 5):
        assert score(shelfdb, {feature: shelfdb.features[feature].gold_patch}, falsify="off").verdict.passed
    return shelfdb


@pytest.fixture
def watch(measured: Task) -> Iterator[Watch]:
    with watching() as watch:
        yield watch


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    with activate(EnvironmentScope(after_start=[watch.start], before_cleanup=[watch.end])):
        yield watch
    wait_for_endings()
    assert sorted(watch.started) == sorted(watch.ended)
    assert not {found.identifier for found in orphans(backends=["local"])} & set(watch.started)


@pytest.fixture(scope="module")
def apart(measured: Task) -> list[Evaluation]:
    """What each request gives alone."""
    with watching() as watch:
        evaluations = [score(request.task, request.patches, falsify="off") for request in requests(measured)]
    assert len(watch.started) == len(set(watch.started)) == suites(evaluations)
    return evaluations


def suites(evaluations: list[Evaluation]) -> int:
    """How many suites had to run: two for each tree."""
    return 2 * sum(len({stage.tree for stage in one.stages if stage.suites}) for one in evaluations)


def requests(task: Task) -> list[ScoreRequest]:
    return [ScoreRequest(task, {number: task.features[number].gold_patch for number in pair}) for pair in PAIRS]


def run_one(task: Task, slots: ThreadSlots, time_limit: float = 60) -> SuiteRun:
    feature = task.features[FEATURE]
    settings = EvaluationSettings(choices=EvaluationChoices(time_limit=time_limit), slots=slots)
    return run_suite(task, Suite(feature.tests_patch, feature.gold_patch), settings)


def test_a_sandbox_is_ready_before_its_turn(shelfdb: Task, watch: Watch) -> None:
    slots = ThreadSlots(1, ahead=1)
    with ThreadPoolExecutor(1) as thread:
        with slots.running():
            suite = thread.submit(run_one, shelfdb, slots)
            assert watch.ready.acquire(timeout=60)
            assert not suite.done()
        assert suite.result().exit_code == 0
    assert len(watch.started) == 1


@pytest.mark.ci
def test_one_that_waited_too_long_is_replaced(shelfdb: Task, watch: Watch) -> None:
    slots, limit = ThreadSlots(1, ahead=1), 8.0
    with ThreadPoolExecutor(1) as thread:
        with slots.running():
            suite = thread.submit(run_one, shelfdb, slots, limit)
            assert watch.ready.acquire(timeout=60)
            threading.Event().wait(limit + 1)  # for that long other tests run
        assert suite.result().exit_code == 0
    assert len(watch.started) == 2


def test_once_stopped_nothing_begins_and_nothing_stays(shelfdb: Task, watch: Watch) -> None:
    slots = ThreadSlots(1, ahead=1)
    with ThreadPoolExecutor(1) as thread:
        with slots.running():
            suite = thread.submit(run_one, shelfdb, slots)
            assert watch.ready.acquire(timeout=60)
            slots.stop()
        with pytest.raises(EvaluationError, match="stopped"):
            suite.result()


@pytest.mark.parametrize("concurrency", [1, pytest.param(2, marks=pytest.mark.extensive)])
def test_a_batch_starts_what_its_suites_need_and_a_bounded_number_at_a_time(
    shelfdb: Task, apart: list[Evaluation], watch: Watch, concurrency: int
) -> None:
    answers = {
        item.position: item.evaluation for item in score_many(requests(shelfdb), concurrency=concurrency, falsify="off")
    }
    assert [answers[position].verdict for position in range(len(PAIRS))] == [one.verdict for one in apart]
    assert len(watch.started) == len(set(watch.started)) == suites(apart)
    running = processors() if concurrency == 1 else concurrency
    assert max(accumulate(watch.changes)) <= running + min(running, processors())


def test_closing_a_batch_leaves_nothing(shelfdb: Task, watch: Watch) -> None:
    with closing(score_many(requests(shelfdb), concurrency=1, falsify="off")) as answers:
        assert next(answers).evaluation.verdict.features
