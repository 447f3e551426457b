"""Python's test runners, whose reporters are loaded before any code of the repository and sign what they report.

pytest has a plugin (`reporter/python/cooperbench_reporter.py`), `python -m unittest` a file that the interpreter loads when it starts
(`reporter/python/sitecustomize.py`). Without them, their text is read.
"""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.report import RunnerKind, SuiteReport, TestRunner, keep_worst, report_of
from cooperbench.records import TestStatus

# Puts the reporters where every interpreter looks first.
PYTHON_REPORTER = (
    'export COOPERBENCH_PYTHONPATH="${PYTHONPATH-}"',
    'export PYTHONPATH="$reporter/python${PYTHONPATH:+:$PYTHONPATH}"',
)
_PYTEST_WORDS = {
    "PASSED": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "ERROR": TestStatus.ERROR,
    "SKIPPED": TestStatus.SKIPPED,
    "XFAIL": TestStatus.SKIPPED,
    "XPASS": TestStatus.PASSED,
}
_UNITTEST_WORDS = {
    "ok": TestStatus.PASSED,
    "FAIL": TestStatus.FAILED,
    "ERROR": TestStatus.ERROR,
    "skipped": TestStatus.SKIPPED,
    "expected failure": TestStatus.SKIPPED,
    "unexpected success": TestStatus.FAILED,
}


class Pytest(TestRunner):
    """pytest, called directly or by something that passes its environment on."""

    kind = RunnerKind.PYTEST
    calls = re.compile(r"\bpytest\b|\bpy\.test\b")
    reporter = (
        *PYTHON_REPORTER,
        'export COOPERBENCH_PYTEST_ADDOPTS="${PYTEST_ADDOPTS-}"',
        'export PYTEST_ADDOPTS="-p cooperbench_reporter ${PYTEST_ADDOPTS-}"',
        # Runners set their own options; the first of both that is left counts.
        'export COOPERBENCH_PYTEST_PLUGINS="${PYTEST_PLUGINS-}"',
        'export PYTEST_PLUGINS="cooperbench_reporter${PYTEST_PLUGINS:+,$PYTEST_PLUGINS}"',
        # tox passes on only what it is configured to: version 4 by the first, version 3 by the second.
        'export TOX_OVERRIDE="testenv.pass_env+=PYTEST_ADDOPTS,PYTEST_PLUGINS,PYTHONPATH,COOPERBENCH_*"',
        'export TOX_TESTENV_PASSENV="PYTEST_ADDOPTS PYTEST_PLUGINS PYTHONPATH COOPERBENCH_*"',
    )

    def without_reporter(self, runner: bytes) -> Sequence[str]:
        """Ask for names in the text."""
        return ['export PYTEST_ADDOPTS="-rA ${PYTEST_ADDOPTS-}"']

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read verbose lines, and those of the short summary."""
        tests: dict[str, TestStatus] = {}
        for line in lines:
            verbose = re.match(r"^((?>\S+?::).+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", line)
            short = re.match(r"^(PASSED|XPASS|FAILED|ERROR) ((?>\S+?::).+?)(?: - .*)?$", line)
            if verbose:
                keep_worst(tests, verbose.group(1), _PYTEST_WORDS[verbose.group(2)])
            elif short:
                keep_worst(tests, short.group(2), _PYTEST_WORDS[short.group(1)])
        return report_of("pytest-text", tests)


class Unittest(TestRunner):
    """The standard library's test runner."""

    kind = RunnerKind.UNITTEST
    calls = re.compile(r"\s-m\s+unittest\b")
    reporter = PYTHON_REPORTER

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read the lines of `-v`."""
        tests: dict[str, TestStatus] = {}
        for line in lines:
            found = re.match(
                r"^(\w+) \(([\w.]+)\) \.\.\. (ok|FAIL|ERROR|skipped|expected failure|unexpected success)\b", line
            )
            if found:
                keep_worst(tests, f"{found.group(2)}:{found.group(1)}", _UNITTEST_WORDS[found.group(3)])
        return report_of("unittest-text", tests)
