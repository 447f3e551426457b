"""Score patches from Python, without a run directory: for training, search and experiments.

evaluation = score(task, {1: patch_of_feature_1, 2: patch_of_feature_2}, backend="local")
evaluation.verdict.passed
reward(evaluation, "share")
"""

from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Literal, NamedTuple

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.evaluation.endings import wait_for_endings
from cooperbench.evaluation.evaluator import evaluate_submissions
from cooperbench.evaluation.patches import make_submission
from cooperbench.evaluation.policies import DEFAULT_POLICY
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.settings import EvaluationSettings, read_choices
from cooperbench.evaluation.slots import ThreadSlots, processors
from cooperbench.records import TIME_LIMIT, Evaluation, EvaluationChoices, Falsify, Install, Outcome, Singles
from cooperbench.tasks import Task

RewardKind = Literal["all", "share", "own", "alone"]


def score(
    task: Task,
    patches: Mapping[int, bytes | str],
    *,
    backend: str = "local",
    policy: str = DEFAULT_POLICY,
    singles: Singles = "none",
    time_limit: float = TIME_LIMIT,
    network: str | None = None,
    resolver: Resolver | None = None,
    recount: bool = False,
    workers: int | None = None,
    install: Install = "once",
    falsify: Falsify = "on",
) -> Evaluation:
    """Merge one patch for each feature and test the result. The answer is `evaluation.verdict`.

    The member who did feature 3 is called `agent3`. With `singles` the members' patches are tested alone too; with `recount` wrong
    hunk counts of a patch are repaired. A failure of the evaluation itself is an outcome, `infra_error`.
    Raises `UsageError` for features and policies that do not exist, and for choices that make no sense.
    """
    choices = _choices(singles, time_limit, network, recount, install, falsify)
    return _score(task, patches, EvaluationSettings(backend, policy, choices, resolver, workers))


def _choices(
    singles: Singles, time_limit: float, network: str | None, recount: bool, install: Install, falsify: Falsify
) -> EvaluationChoices:
    values = {"singles": singles, "time_limit": time_limit, "network": network, "recount": recount}
    return read_choices(EvaluationChoices, **values, install=install, falsify=falsify)


def _score(task: Task, patches: Mapping[int, bytes | str], settings: EvaluationSettings) -> Evaluation:
    if not patches:
        raise UsageError("there is nothing to score: no patches were given", subject=task.key)
    for feature in patches:
        if feature not in task.features:
            raise UnknownNameError("feature", feature, task.features)
    contents = {feature: patch.encode() if isinstance(patch, str) else patch for feature, patch in patches.items()}
    submissions = [
        (make_submission(f"agent{feature}", (feature,), content), content) for feature, content in contents.items()
    ]
    return evaluate_submissions(task, sorted(patches), submissions, settings)


class ScoreRequest(NamedTuple):
    """One group of patches to score."""

    task: Task
    patches: Mapping[int, bytes | str]


class Scored(NamedTuple):
    """One answer of `score_many`, with the position of its request."""

    position: int
    evaluation: Evaluation


def score_many(
    requests: Iterable[ScoreRequest],
    *,
    backend: str = "local",
    policy: str = DEFAULT_POLICY,
    singles: Singles = "none",
    concurrency: int = 2,
    time_limit: float = TIME_LIMIT,
    network: str | None = None,
    resolver: Resolver | None = None,
    recount: bool = False,
    install: Install = "once",
    falsify: Falsify = "on",
) -> Generator[Scored, None, None]:
    """Score many groups, `concurrency` at a time, and yield each answer as soon as it is there. Takes the choices of `score`.

    The next groups are merged and their sandboxes started while the tests of others run.
    Closing the iterator starts nothing more, and waits for running suites, which end by their time limit.
    """
    choices = _choices(singles, time_limit, network, recount, install, falsify)
    workers = 1 if concurrency > 1 else processors()
    ahead = min(concurrency * workers, processors())
    slots = ThreadSlots(concurrency * workers, ahead=ahead)
    settings = EvaluationSettings(backend, policy, choices, resolver, workers, slots)
    pool = ThreadPoolExecutor(concurrency + -(-ahead // workers), thread_name_prefix="score")
    try:
        futures = {
            pool.submit(_score, request.task, request.patches, settings): position
            for position, request in enumerate(requests)
        }
        for future in as_completed(futures):
            yield Scored(futures[future], future.result())
    finally:
        slots.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        wait_for_endings()


def reward(evaluation: Evaluation, kind: RewardKind = "all", *, feature: int | None = None) -> float | None:
    """Return a number between 0 and 1 to train with, or `None` if the evaluation itself failed: that is not a signal.

    `all`: every feature passes. `share`: the share of features that pass. `own`: whether `feature` passes in the merged work.
    `alone`: whether `feature` passes with its own member's patch alone (needs `singles="own"`).
    """
    verdict = evaluation.verdict
    if verdict.outcome is Outcome.INFRA_ERROR:
        return None
    if kind == "all":
        return float(verdict.passed)
    if kind == "share":
        return sum(item.outcome is Outcome.PASSED for item in verdict.features) / len(verdict.features)
    if feature is None:
        raise UsageError(f"reward {kind!r} needs a feature")
    if kind == "own":
        outcomes = [item.outcome for item in verdict.features if item.feature == feature]
    else:
        singles = [stage for stage in evaluation.stages if stage.name.startswith("single:")]
        if not singles and len(evaluation.features) > 1:
            raise UsageError("the members' patches were not tested alone", hint='score(..., singles="own")')
        # With `singles="all"` each member's work has the suites of all features.
        own = [stage for stage in singles if stage.name == f"single:agent{feature}"]
        alone = own or singles or evaluation.stages[:1]  # the work of one member is the merge already
        outcomes = [suite.outcome for stage in alone for suite in stage.suites if suite.feature == feature]
    if outcomes and outcomes[0] is Outcome.INFRA_ERROR:
        return None
    return float(bool(outcomes) and outcomes[0] is Outcome.PASSED)
