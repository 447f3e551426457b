"""What a test runner reported, and how one kind of test runner is asked for it: a module for each kind implements `TestRunner`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple

from cooperbench.records import TestCase, TestStatus


class RunnerKind(StrEnum):
    """The test runner that a task's `runner.sh` calls."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    GO = "go"
    CARGO = "cargo"
    JEST = "jest"
    VITEST = "vitest"
    JAVA = "java"
    UNKNOWN = "unknown"


class SuiteReport(NamedTuple):
    """What a runner reported. Nothing in it decides whether a suite passed."""

    source: str
    """Where it was read, `pytest-guard` for example; empty when nothing was recognised."""
    tests: tuple[TestCase, ...] = ()
    changed: tuple[str, ...] = ()
    """Tests and functions of the runner that were replaced while it ran."""


NO_REPORT = SuiteReport("")


@dataclass(frozen=True)
class ReportRequest:
    """A run that a structured report is wanted of."""

    runner: bytes
    """The task's `runner.sh`."""
    structured: bool
    """Whether anything but text can be asked for. Runners that cut themselves off from their surroundings give nothing else."""


class TestRunner(ABC):
    """One kind of test runner."""

    __test__ = False

    kind: ClassVar[RunnerKind]
    calls: ClassVar[re.Pattern[str]]
    """A call of it in a shell script."""
    collect: ClassVar[str] = ""
    """Shell that puts files which it writes by itself into `$reporter/collected.tar`, after the runner."""

    @abstractmethod
    def ask(self, request: ReportRequest) -> Sequence[str]:
        """Lines of shell that come before the runner, so that its results can be read afterwards; `$reporter` is our folder.

        Where it is sandboxed they make test programs sign what they report; `signed` reads it.
        """

    def read_collected(self, data: bytes) -> SuiteReport:
        """The results in what `collect` collected; unsigned."""
        return NO_REPORT

    def complete(self, signed: SuiteReport, lines: Sequence[str]) -> SuiteReport:
        """A signed report with what no reporter can see and the text tells, under names that no reporter gives."""
        return signed

    @abstractmethod
    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """The results in the runner's own output, read line by line in its format, never searched for a phrase."""


_SEVERITY = (TestStatus.PASSED, TestStatus.SKIPPED, TestStatus.FAILED, TestStatus.ERROR)


def keep_worst(tests: dict[str, TestStatus], name: str, status: TestStatus) -> None:
    """A name that is reported twice keeps the worse result: printing a line that says `ok` must not help."""
    known = tests.get(name, status)
    tests[name] = max(known, status, key=_SEVERITY.index)


def report_of(source: str, tests: Mapping[str, TestStatus]) -> SuiteReport:
    """A report of some tests, or `NO_REPORT` of none."""
    cases = tuple(TestCase(name=name, status=status) for name, status in tests.items())
    return SuiteReport(source, cases) if cases else NO_REPORT
