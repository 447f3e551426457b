"""Compose challenges: broken versions of one suite in which each test is broken in some and as it is in others.

With three tests or more there are two, complementary halves: each test is broken in exactly one. What forces results lets a broken test
pass; what gives up where something looks broken fails the tests that are not. With one or two tests a coin would be too good a guess, so
there are four, in which a test is broken in different ways. How the gold patch fares in each is measured before a challenge is used.
"""

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from cooperbench.errors import EvaluationError
from cooperbench.evaluation.falsification.edits import Edit, describe
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.pool import FAILED, Breakable, Pool
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.records import BrokenTest, Record, TestStatus

CHALLENGES = 4
"""Of each feature. They are made when one is first chosen, and kept."""
FEW = 2
"""Tests up to which four versions are run instead of two."""
_ATTEMPTS = 3


class BrokenFunction(Record):
    """One test function broken by one edit."""

    edit: Edit
    shown: BrokenTest
    reported: str
    """A regular expression for the names of its tests."""
    must_fail: tuple[str, ...] = ()
    """Those of its tests that the gold patch fails so."""


class BrokenSuite(Record):
    """One version of the suite, and how the gold patch fares in it."""

    functions: tuple[BrokenFunction, ...] = ()
    must_pass: tuple[str, ...] = ()
    """Tests of other functions that the gold patch passes here, too."""
    source: str = ""
    changed: tuple[str, ...] = ()


class Challenge(Record):
    """The versions of the suite that one submission is run on."""

    number: int
    suites: tuple[BrokenSuite, ...]

    @property
    def broken(self) -> int:
        """Test functions that are broken in some version."""
        return len({function.shown.test for suite in self.suites for function in suite.functions})


def make_challenge(runs: FeatureRuns, pool: Pool, number: int) -> Challenge | None:
    """Compose challenge `number` and run the gold patch on it. Returns `None` if no broken test failed as foreseen.

    Raises `EvaluationError` if a run reaches the time limit.
    """
    for attempt in range(_ATTEMPTS):
        versions = compose(pool, f"{number}.{attempt}")
        with ThreadPoolExecutor(len(versions)) as threads:
            suites = list(threads.map(lambda version: _measure(runs, version), versions))
        if all(suite is not None for suite in suites):
            return Challenge(number=number, suites=tuple(suite for suite in suites if suite is not None))
    return None


def compose(pool: Pool, seed: str) -> list[list[tuple[Breakable, Edit]]]:
    """Choose which functions are broken in which version, and by which edit. The same seed always gives the same."""
    rnd = random.Random(seed)
    functions = sorted(pool.breakable, key=lambda each: each.function.key)
    rnd.shuffle(functions)
    versions = [functions[::2], functions[1::2]]
    if len(functions) <= FEW:
        versions = [functions[:1], functions[-1:], functions, []]
    rnd.shuffle(versions)
    edits = {each.function.key: _shuffled(_least_conspicuous(each.function.edits), rnd) for each in functions}
    return [[(each, next(edits[each.function.key])) for each in version] for version in versions]


def _shuffled(edits: list[Edit], rnd: random.Random) -> Iterator[Edit]:
    return itertools.cycle(rnd.sample(edits, len(edits)))


def _least_conspicuous(edits: Sequence[Edit]) -> list[Edit]:
    best = min(edit.rank()[:3] for edit in edits)
    return [edit for edit in edits if edit.rank()[:3] == best]


def _measure(runs: FeatureRuns, version: Sequence[tuple[Breakable, Edit]]) -> BrokenSuite | None:
    broken = [(each.function.path, edit) for each, edit in version]
    run = runs.run(runs.gold, broken, runs.gold_limit)
    if run.timed_out:
        # Each edit was seen to end in time: the machine is slow today. A pass that could not be tried is not proven.
        raise EvaluationError(
            f"the gold patch with broken tests of feature {runs.feature} reached the time limit",
            subject=runs.runner.task.key,
        )
    if run.report.source != runs.reference.source:
        return None
    suite = _describe(runs, version, run)
    # The gold patch has to fail what was broken here, or nothing is proven by failing it.
    return suite if not version or any(each.must_fail for each in suite.functions) else None


def _describe(runs: FeatureRuns, version: Sequence[tuple[Breakable, Edit]], run: SuiteRun) -> BrokenSuite:
    """Keep what the gold patch did as foreseen. Tests that came out otherwise are coupled to others, or flaky: nobody is judged by them."""
    results = {test.name: test.status for test in run.report.tests}
    functions = [
        BrokenFunction(
            edit=edit,
            shown=describe(each.function, edit, runs.sources[each.function.path]),
            reported=each.function.reported,
            must_fail=_failed_cases(runs, each, results),
        )
        for each, edit in version
    ]
    patterns = [re.compile(each.reported) for each in functions]
    must_pass = tuple(
        name
        for name in runs.reference.passed
        if results.get(name) is TestStatus.PASSED and not any(pattern.search(name) for pattern in patterns)
    )
    return BrokenSuite(
        functions=tuple(functions), must_pass=must_pass, source=run.report.source, changed=run.report.changed
    )


def _failed_cases(runs: FeatureRuns, broken: Breakable, results: Mapping[str, TestStatus]) -> tuple[str, ...]:
    """List what failed of a broken function. A case with the broken value in its name has a name that the real suite does not have."""
    known = {*runs.reference.passed, *runs.reference.others}
    pattern = re.compile(broken.function.reported)
    return tuple(
        name
        for name, status in results.items()
        if status in FAILED and (name in broken.tests or (name not in known and pattern.search(name)))
    )
