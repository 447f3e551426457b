"""The report of a test runner, and the interface `TestRunner` that each kind of test runner implements."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
    """The results that a runner reported. Nothing in it decides whether a suite passed."""

    source: str
    """The kind of report, such as `pytest-guard`; empty if nothing was recognised. What ends in `-guard` is signed."""
    tests: tuple[TestCase, ...] = ()
    changed: tuple[str, ...] = ()
    """Tests and functions of the runner that were replaced while it ran."""


NO_REPORT = SuiteReport("")


class TestRunner(ABC):
    """One kind of test runner."""

    __test__ = False

    kind: ClassVar[RunnerKind]
    calls: ClassVar[re.Pattern[str]]
    """A call of it in a shell script."""
    reporter: ClassVar[Sequence[str]] = ()
    """Shell before the runner that makes test programs sign what they report; `$reporter` is the folder of the reporters."""
    build_cache: ClassVar[str] = ""
    """A script with the functions that give, begin and pack what it has compiled; see `build_caches`."""
    collect: ClassVar[str] = ""
    """Shell that puts files which the runner writes by itself into `$reporter/collected.tar`, after it."""

    def without_reporter(self, runner: bytes) -> Sequence[str]:
        """Return shell before a `runner.sh` that cuts itself off from its surroundings, so that its text names the tests."""
        return ()

    def read_collected(self, data: bytes) -> SuiteReport:
        """Read the results in what `collect` collected. They are not signed."""
        return NO_REPORT

    def complete(self, signed: SuiteReport, lines: Sequence[str]) -> SuiteReport:
        """Add to a signed report what reporters cannot see and the text tells, under names that reporters do not use."""
        return signed

    @abstractmethod
    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read the results in the runner's own output, line by line in its format; never search it for a phrase."""


_SEVERITY = (TestStatus.PASSED, TestStatus.SKIPPED, TestStatus.FAILED, TestStatus.ERROR)


def keep_worst(tests: dict[str, TestStatus], name: str, status: TestStatus) -> None:
    """Keep the worse result of a name that is reported twice: printing a line that says `ok` must not help."""
    known = tests.get(name, status)
    tests[name] = max(known, status, key=_SEVERITY.index)


def report_of(source: str, tests: Mapping[str, TestStatus]) -> SuiteReport:
    """Make a report of tests, or `NO_REPORT` if there are none."""
    cases = tuple(TestCase(name=name, status=status) for name, status in tests.items())
    return SuiteReport(source, cases) if cases else NO_REPORT
