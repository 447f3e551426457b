"""Turn the run of a suite into its result.

The measure is the task's own gold patch: what it makes pass has to pass, by name, and the runner has to report in the same
way. A test that the gold patch does not make pass is not held against anybody.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from pydantic import AliasChoices, Field

from cooperbench.evaluation.fixed_names import fixed_names
from cooperbench.evaluation.stable_names import NOTHING_FIXED, FixedNames, not_passed
from cooperbench.evaluation.suites import SuiteRun
from cooperbench.evaluation.test_output import outputs_of
from cooperbench.records import Falsification, FalsificationStatus, Outcome, Record, SuiteResult, TestStatus
from cooperbench.records.host_paths import without_python_paths

TAIL = 4_000
"""Characters of a runner's output that go into the record."""

_NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Could not resolve host|Network is unreachable|Connection (?:refused|reset|timed out)"
    r"|Max retries exceeded|ENOTFOUND|EAI_AGAIN|i/o timeout|No space left on device|Cannot allocate memory"
)
_INSTALLER = re.compile(r"^(?:ERROR: |error: |WARNING: Retrying|npm (?:ERR!|error)|go: |\s*pip\b)", re.MULTILINE)
_ERROR = re.compile(
    r"^(?:\S+: )*(?:E +|npm )?(?:[\w.]*(?:Error|Exception)|error|ERROR|ERR!|fatal|FATAL)(?:\[\w+\])?:? +\S+ +\S"
    r"|: (?:(?:command )?not found|No such file or directory|Permission denied)$"
)
"""A line that names an error in words. `error: metadata-generation-failed` does not: pip prints it below the real one."""


class SuiteReference(Record):
    """The run of a feature's hidden tests with the gold patch alone."""

    feature: int
    tree: str
    exit_code: int
    source: str
    passed: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Tests that ran and did not pass."""
    fixed: FixedNames = NOTHING_FIXED
    """What of these names the hidden tests' source fixes."""
    changed: tuple[str, ...] = ()
    structured: bool = Field(True, validation_alias=AliasChoices("structured", "guarded"))
    """False if a structured report did not come, and the runner was asked for names in its text."""
    seconds: float
    output_tail: str = ""

    @property
    def usable(self) -> bool:
        """True if anything can be measured by it."""
        return bool(self.passed) and bool(self.source)


def make_reference(
    feature: int, tree: str, run: SuiteRun, hidden: Mapping[str, bytes], *, structured: bool = True
) -> SuiteReference:
    """Make a reference of a run of the gold patch. `hidden` are the hidden test files, by path."""
    return SuiteReference(
        feature=feature,
        tree=tree,
        exit_code=run.exit_code,
        source=run.report.source,
        passed=tuple(test.name for test in run.report.tests if test.status is TestStatus.PASSED),
        others=tuple(test.name for test in run.report.tests if test.status is not TestStatus.PASSED),
        fixed=fixed_names([test.name for test in run.report.tests], hidden),
        changed=run.report.changed,
        structured=structured,
        seconds=run.seconds,
        output_tail=without_python_paths(run.output[-TAIL:]),
    )


def suite_verdict(feature: int, run: SuiteRun, reference: SuiteReference, *, watched: bool = True) -> SuiteResult:
    """Return the result of one suite on a submission's tree. Unless `watched`, what changed while tests ran does not count."""
    changed = tuple(sorted(set(run.report.changed) - set(reference.changed))) if watched else ()
    comparable = run.report.source == reference.source and not run.timed_out
    required = reference.passed if comparable else ()
    wrong = not_passed(run.report.tests, required, reference.others, reference.source, reference.fixed)
    outcome, reason = _decide(run, reference, changed, [f"{name} {status}" for name, status in wrong.items()])
    failing = [test.name for test in run.report.tests if test.status in (TestStatus.FAILED, TestStatus.ERROR)]
    outputs = outputs_of(failing, run.output)
    return SuiteResult(
        feature=feature,
        outcome=outcome,
        exit_code=run.exit_code,
        tests=tuple(
            test.model_copy(update={"output": outputs[test.name]}) if test.name in outputs else test
            for test in run.report.tests
        ),
        source=run.report.source,
        seconds=round(run.seconds, 3),
        started_at=run.ended_at - timedelta(seconds=run.seconds),
        ended_at=run.ended_at,
        failed=tuple(wrong),
        output_tail=without_python_paths(run.output[-TAIL:]),
        reason=reason,
        changed=changed,
    )


def with_falsification(result: SuiteResult, found: Falsification, *, judge: bool) -> SuiteResult:
    """Add to a suite that passed what its runs with broken tests show. Unless `judge`, it stays passed."""
    update: dict[str, object] = {"falsification": found}
    outcomes = {FalsificationStatus.FORCED: Outcome.FORCED, FalsificationStatus.UNFINISHED: Outcome.TESTS_FAILED}
    if judge and found.status in outcomes:
        update |= {"outcome": outcomes[found.status], "reason": found.reason}
    return result.model_copy(update=update)


def _decide(
    run: SuiteRun, reference: SuiteReference, changed: Sequence[str], wrong: Sequence[str]
) -> tuple[Outcome, str]:
    if run.timed_out:
        return Outcome.TESTS_FAILED, f"time limit reached after {run.seconds:.0f} s"
    if run.report.source != reference.source:
        return Outcome.TESTS_FAILED, f"no report of the tests, exit code {run.exit_code}: {telling_line(run.output)}"
    if changed:
        return Outcome.TESTS_FAILED, f"the tests or their runner were changed while they ran: {changed[0]}"
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Outcome.TESTS_FAILED, f"{wrong[0]}{more}"
    if run.exit_code not in (0, reference.exit_code):
        return Outcome.TESTS_FAILED, f"exit code {run.exit_code}"
    return Outcome.PASSED, ""


def telling_line(output: str) -> str:
    """Return the last line that names an error, else the last line: installers print advice after their errors."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if _ERROR.search(line)] or lines or ["nothing was printed"]
    return telling[-1][:160]


def failed_to_install(run: SuiteRun) -> bool:
    """Tell whether a run looks as if it had ended without a test because an installer could not reach the network."""
    tail = run.output[-TAIL:]
    return not run.report.tests and bool(_NO_NETWORK.search(tail)) and bool(_INSTALLER.search(tail))
