"""Run a suite that passed again with broken tests, and say whether the work fails what the gold patch fails.

Pools and challenges are made once for each feature and image, from runs of the gold patch, and kept in the cache directory of this
machine: no sandbox and no agent sees them. Which challenge a suite gets follows from a seed that is drawn on this machine when the
evaluation begins, and recorded when it ends.
"""

import hashlib
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from cooperbench.environments.locks import locked
from cooperbench.errors import RecordError
from cooperbench.evaluation.falsification.challenges import CHALLENGES, BrokenSuite, Challenge, make_challenge
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.mismatches import find_mismatch, is_unfinished
from cooperbench.evaluation.falsification.pool import Pool, build_pool
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.records import (
    Falsification,
    FalsificationStatus,
    Mismatch,
    Record,
    TestStatus,
    read_model,
    write_model,
)

R = TypeVar("R", bound=Record)


def new_seed() -> str:
    """Draw a seed that nobody can foresee."""
    return secrets.token_hex(8)


def chosen_challenge(seed: str, feature: int, tree: str) -> int:
    """Return the number of the challenge for a suite."""
    return int.from_bytes(hashlib.sha256(f"{seed} {feature} {tree}".encode()).digest()[:4], "big") % CHALLENGES


def pool_of(runs: FeatureRuns, folder: Path, on_base: SuiteRun | None = None) -> Pool:
    """Return the feature's pool, from the cache or by running the gold patch, and the base if its run is not given."""
    make = partial(_build_pool, runs, on_base)
    return _cached(folder / "pool.json", Pool, make, lambda pool: bool(pool.breakable) or not pool.timed_out)


def _build_pool(runs: FeatureRuns, on_base: SuiteRun | None) -> Pool:
    return build_pool(runs, _fail_to_pass(runs, on_base))


def _fail_to_pass(runs: FeatureRuns, on_base: SuiteRun | None) -> list[str]:
    """List the tests that pass with the gold patch and not on the base."""
    on_base = on_base or runs.run(runs.runner.base.tree, time_limit=runs.gold_limit)
    passing = {test.name for test in on_base.report.tests if test.status is TestStatus.PASSED}
    return [name for name in runs.reference.passed if name not in passing]


def falsify(runs: FeatureRuns, tree: str, seed: str, folder: Path) -> Falsification:
    """Run the suite on `tree` with broken tests, each version in a fresh sandbox, side by side and in random order.

    A mismatch counts if it comes again. `folder` caches what is known of the feature. Raises the classes below `SandboxError`, and
    `EvaluationError` once stopped.
    """
    pool = pool_of(runs, folder)
    if not pool.breakable:
        return Falsification(status=FalsificationStatus.UNAVAILABLE, reason=pool.reason, seed=seed)
    number = chosen_challenge(seed, runs.feature, tree)
    path = _file(runs, folder, number)
    make = partial(make_challenge, runs, pool, number)
    made = _cached(path, _Kept, lambda: _Kept(challenge=make()), lambda kept: kept.challenge is not None)
    if made.challenge is None:
        reason = "the gold patch's own runs with broken tests differ"
        return Falsification(status=FalsificationStatus.UNAVAILABLE, reason=reason, seed=seed, challenge=number)
    return _judge(runs, tree, seed, made.challenge)


@contextmanager
def falsifying(
    runs: FeatureRuns, tree: str, seed: str, folder: Path, *, early: bool
) -> Iterator[Callable[[], Falsification]]:
    """Yield a function that does what `falsify` does, for a block that runs the real suite.

    If `early`, and if the gold patch's runs are known, the broken versions run beside the block; they are in vain where the real suite
    fails. None begins once the block is left.
    """
    stop = threading.Event()
    known = early and _file(runs, folder, chosen_challenge(seed, runs.feature, tree)).is_file()
    with ThreadPoolExecutor(1) as thread:
        begun = thread.submit(falsify, replace(runs, stop=stop), tree, seed, folder) if known else None
        try:
            yield begun.result if begun else partial(falsify, runs, tree, seed, folder)
        finally:
            stop.set()


def _file(runs: FeatureRuns, folder: Path, number: int) -> Path:
    return folder / f"challenge{number}-{runs.conditions}.json"


class _Kept(Record):
    """A challenge, or that none could be made."""

    challenge: Challenge | None


def _judge(runs: FeatureRuns, tree: str, seed: str, challenge: Challenge) -> Falsification:
    order = list(range(len(challenge.suites)))
    random.SystemRandom().shuffle(order)
    with ThreadPoolExecutor(len(order)) as threads:
        done_by = dict(zip(order, threads.map(lambda at: _run(runs, tree, challenge.suites[at]), order), strict=True))
    judged = [done_by[at] for at in sorted(order)]
    mismatches = [found for found, _ in judged if found is not None]
    mismatch = min(mismatches, key=is_unfinished, default=None)  # force says more than a time limit
    done = [run for _, made in judged for run in made]
    return Falsification(
        status=_status(mismatch),
        reason=describe_mismatch(mismatch) if mismatch else "",
        seed=seed,
        challenge=challenge.number,
        broken=challenge.broken,
        runs=len(done),
        seconds=round(sum(run.seconds for run in done), 3),
        mismatch=mismatch,
    )


def _status(mismatch: Mismatch | None) -> FalsificationStatus:
    if mismatch is None:
        return FalsificationStatus.HELD
    return FalsificationStatus.UNFINISHED if is_unfinished(mismatch) else FalsificationStatus.FORCED


def _run(runs: FeatureRuns, tree: str, suite: BrokenSuite) -> tuple[Mismatch | None, list[SuiteRun]]:
    """Run one version. If it came out otherwise than with the gold patch, two more runs, in other sandboxes, have to come out like it.

    One more would help who passes by a coin more than whose tests are flaky.
    """
    done: list[SuiteRun] = []
    mismatch = None
    for repeat in range(3):
        done.append(runs.run_submission(tree, [(each.shown.path, each.edit) for each in suite.functions]))
        mismatch = find_mismatch(done[-1], suite, runs.reference, watched=runs.runner.settings.protected)
        settled = mismatch is None if repeat == 0 else mismatch is not None
        if settled:
            break
    return mismatch, done


def describe_mismatch(mismatch: Mismatch) -> str:
    """Say in one line what came out otherwise."""
    if is_unfinished(mismatch):
        return f"not proven: with broken tests, {mismatch.found}, where the gold patch's run ends"
    if mismatch.edit is None:
        return (
            f"with broken tests beside it, {mismatch.test}: {mismatch.found}, where the gold patch: {mismatch.expected}"
        )
    place = f"{mismatch.edit.path}:{mismatch.edit.line}"
    return f"{mismatch.test} {mismatch.found}, although {place} expects `{mismatch.edit.after}`"


def _cached(path: Path, kind: type[R], make: Callable[[], R], worth_keeping: Callable[[R], bool]) -> R:
    """Read what is known, or find it out once for all processes of this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        try:
            return read_model(path, kind)
        except (FileNotFoundError, RecordError):
            made = make()
            if worth_keeping(made):
                write_model(path, made)
            return made
