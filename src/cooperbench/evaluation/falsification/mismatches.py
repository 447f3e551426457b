"""Compare a run on a broken suite with the gold patch's run on the same."""

import re
from collections.abc import Iterable, Mapping

from cooperbench.evaluation.falsification.challenges import BrokenFunction, BrokenSuite
from cooperbench.evaluation.falsification.pool import FAILED
from cooperbench.evaluation.stable_names import not_passed
from cooperbench.evaluation.suite_verdict import SuiteReference
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.records import Mismatch, TestCase, TestStatus

RUN = "the test run"
ENDS = "ends"
NOTHING = "did not run"


def find_mismatch(
    run: SuiteRun, suite: BrokenSuite, reference: SuiteReference, *, watched: bool = True
) -> Mismatch | None:
    """Return the first test that came out otherwise than with the gold patch, or `None`.

    Of each broken function no test may pass that the gold patch fails, and one has to fail. Tests that are not broken have to pass, with
    the same patience for names that are made at run time as in the real run. Unless `watched`, it does not matter what the reporters saw changing.
    A run that reached the time limit is judged by what was reported before: tests that fail leave threads and servers behind.
    """
    found = _find_mismatch(run, suite, reference, watched=watched)
    if run.timed_out and found is not None and not _shows_force(found):
        return Mismatch(test=RUN, expected=ENDS, found=f"time limit reached after {run.seconds:.0f} s")
    return found


def is_unfinished(mismatch: Mismatch) -> bool:
    """Tell whether a mismatch is a run that reached the time limit, and shows nothing else."""
    return (mismatch.test, mismatch.expected) == (RUN, ENDS)


def _shows_force(mismatch: Mismatch) -> bool:
    return mismatch.edit is not None and mismatch.found == TestStatus.PASSED


def _find_mismatch(run: SuiteRun, suite: BrokenSuite, reference: SuiteReference, *, watched: bool) -> Mismatch | None:
    if run.report.source != suite.source:
        return Mismatch(test=RUN, expected=f"a report from {suite.source}", found=run.report.source or "no report")
    changed = sorted({*run.report.changed} - {*suite.changed, *reference.changed})
    if watched and changed:
        return Mismatch(test=changed[0], expected="as it is", found="changed while the tests ran")
    results = {test.name: test.status for test in run.report.tests}
    for function in suite.functions:
        if (found := _passed_although_broken(function, results)) is not None:
            return found
    tests, others = _unbroken(run.report.tests, suite), _others(suite, reference)
    wrong = not_passed(tests, suite.must_pass, others, reference.source, reference.fixed)
    for name, status in wrong.items():
        return Mismatch(test=name, expected=TestStatus.PASSED, found=status)
    return None


def _passed_although_broken(function: BrokenFunction, results: Mapping[str, TestStatus]) -> Mismatch | None:
    if not function.must_fail:
        return None
    for name in function.must_fail:
        status = results.get(name, TestStatus.FAILED)  # the code may have a part in names of cases
        if status not in FAILED:
            return Mismatch(test=name, edit=function.shown, expected=TestStatus.FAILED, found=status)
    pattern = re.compile(function.reported)
    if not any(status in FAILED and pattern.search(name) for name, status in results.items()):
        return Mismatch(test=function.must_fail[0], edit=function.shown, expected=TestStatus.FAILED, found=NOTHING)
    return None


def _unbroken(tests: Iterable[TestCase], suite: BrokenSuite) -> list[TestCase]:
    """Leave out tests of broken functions: they must not stand in for others."""
    patterns = [re.compile(function.reported) for function in suite.functions]
    return [test for test in tests if not any(pattern.search(test.name) for pattern in patterns)]


def _others(suite: BrokenSuite, reference: SuiteReference) -> list[str]:
    return [name for name in (*reference.passed, *reference.others) if name not in suite.must_pass]
