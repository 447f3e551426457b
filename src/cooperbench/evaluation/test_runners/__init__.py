"""Test runners of many languages: how each is recognised, asked for a report, and read. One module for each."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.cargo import Cargo
from cooperbench.evaluation.test_runners.go import Go
from cooperbench.evaluation.test_runners.node import Jest, Vitest
from cooperbench.evaluation.test_runners.pytest import Pytest
from cooperbench.evaluation.test_runners.report import (
    NO_REPORT,
    ReadFile,
    Report,
    Request,
    RunnerKind,
    TestRunner,
)

__all__ = [
    "NO_REPORT",
    "RUNNERS",
    "ReadFile",
    "Report",
    "Request",
    "RunnerKind",
    "TestRunner",
    "read_output",
    "read_reports",
    "runner_kind",
    "runners_of",
]

RUNNERS: tuple[TestRunner, ...] = (Pytest(), Go(), Cargo(), Jest(), Vitest())


def runner_kind(runner: bytes) -> RunnerKind:
    """Which test runner a `runner.sh` calls."""
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
    """The test runners that a `runner.sh` may come to: the one that it calls, or any of them where it calls a script or `make`."""
    kind = runner_kind(runner)
    return [test_runner for test_runner in RUNNERS if kind in (test_runner.kind, RunnerKind.UNKNOWN)]


def read_reports(runners: Sequence[TestRunner], read: ReadFile, key: bytes, output: str) -> Report:
    """The structured report, else what the text says; whether text is good enough, the gold patch's own run decides."""
    for test_runner in runners:
        report = test_runner.read_report(read, key)
        if report is not NO_REPORT:
            return report
    return read_output(runners, output)


def read_output(runners: Sequence[TestRunner], output: str) -> Report:
    """The results in the runners' own output."""
    lines = [_strip_colours(line) for line in output.splitlines()]
    for test_runner in runners:
        report = test_runner.read_text(lines)
        if report is not NO_REPORT:
            return report
    return NO_REPORT


def _strip_colours(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)
