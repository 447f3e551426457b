"""Recognise test runners of many languages, ask them for reports, and read those. One module for each language."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.cargo import Cargo
from cooperbench.evaluation.test_runners.go import Go
from cooperbench.evaluation.test_runners.java import Java
from cooperbench.evaluation.test_runners.node import Jest, Vitest
from cooperbench.evaluation.test_runners.python import PYTHON_REPORTER, Pytest, Unittest
from cooperbench.evaluation.test_runners.report import NO_REPORT, RunnerKind, SuiteReport, TestRunner
from cooperbench.evaluation.test_runners.signed import first_state, read_signed

__all__ = [
    "NO_REPORT",
    "PYTHON_REPORTER",
    "RUNNERS",
    "RunnerKind",
    "SuiteReport",
    "TestRunner",
    "complete",
    "first_state",
    "read_output",
    "read_signed",
    "runner_kind",
    "runners_of",
]

RUNNERS: tuple[TestRunner, ...] = (Pytest(), Unittest(), Go(), Cargo(), Jest(), Vitest(), Java())


def runner_kind(runner: bytes) -> RunnerKind:
    """Return the kind of test runner that a `runner.sh` calls."""
    text = re.sub(r"(?m)^\s*#.*$", "", runner.decode("utf-8", "replace"))
    # Where two patterns match at one place, the more special one stands behind.
    found = [
        (match.start(), order, test_runner.kind)
        for order, test_runner in enumerate(RUNNERS)
        for match in test_runner.calls.finditer(text)
    ]
    # The last call is the one that tests; earlier ones may list or prepare.
    return max(found)[2] if found else RunnerKind.UNKNOWN


def runners_of(runner: bytes) -> Sequence[TestRunner]:
    """List the test runners that a `runner.sh` may reach: the one that it calls, or all if it calls a script or `make`."""
    kind = runner_kind(runner)
    return [test_runner for test_runner in RUNNERS if kind in (test_runner.kind, RunnerKind.UNKNOWN)]


def complete(signed: SuiteReport, runners: Sequence[TestRunner], output: str) -> SuiteReport:
    """Add to a signed report the few things that only the output tells."""
    for test_runner in runners:
        signed = test_runner.complete(signed, _lines(output))
    return signed


def read_output(runners: Sequence[TestRunner], output: str) -> SuiteReport:
    """Read the results in the runners' own output."""
    lines = _lines(output)
    for test_runner in runners:
        report = test_runner.read_text(lines)
        if report is not NO_REPORT:
            return report
    return NO_REPORT


def _lines(output: str) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in output.splitlines()]
