"""`python -m unittest`: loaded with the interpreter, our file signs a report (`guard/python/sitecustomize.py`); else its verbose text."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.pytest import ASK_PYTHON
from cooperbench.evaluation.test_runners.report import Report, Request, RunnerKind, TestRunner, keep_worst, report_of
from cooperbench.records import TestStatus

_WORDS = {
    "ok": TestStatus.PASSED,
    "FAIL": TestStatus.FAILED,
    "ERROR": TestStatus.ERROR,
    "skipped": TestStatus.SKIPPED,
    "expected failure": TestStatus.SKIPPED,
    "unexpected success": TestStatus.FAILED,
}


class Unittest(TestRunner):
    """The standard library's test runner."""

    kind = RunnerKind.UNITTEST
    calls = re.compile(r"\s-m\s+unittest\b")

    def ask(self, request: Request) -> Sequence[str]:
        """Put our folder on Python's path."""
        return ASK_PYTHON if request.guarded else []

    def read_text(self, lines: Sequence[str]) -> Report:
        """The lines of `-v`."""
        tests: dict[str, TestStatus] = {}
        for line in lines:
            found = re.match(
                r"^(\w+) \(([\w.]+)\) \.\.\. (ok|FAIL|ERROR|skipped|expected failure|unexpected success)\b", line
            )
            if found:
                keep_worst(tests, f"{found.group(2)}:{found.group(1)}", _WORDS[found.group(3)])
        return report_of("unittest-text", tests)
