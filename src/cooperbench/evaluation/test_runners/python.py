"""pytest: a plugin of ours, loaded before any code of the repository, writes a signed report (`guard/python/cooperbench_guard.py`)."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.report import (
    Report,
    Request,
    RunnerKind,
    TestRunner,
    keep_worst,
    report_of,
)
from cooperbench.records import TestStatus

ASK_PYTHON = (
    'export COOPERBENCH_PYTHONPATH="${PYTHONPATH-}"',
    'export PYTHONPATH="$guard/python${PYTHONPATH:+:$PYTHONPATH}"',
)
"""Put the guards for Python where every interpreter looks first."""


class Pytest(TestRunner):
    """pytest, called directly or by something that passes its environment on."""

    kind = RunnerKind.PYTEST
    calls = re.compile(r"\bpytest\b|\bpy\.test\b")

    def ask(self, request: Request) -> Sequence[str]:
        """Load the plugin; where that does not reach pytest, ask for names in its text."""
        if not request.guarded:
            return ['export PYTEST_ADDOPTS="-rA ${PYTEST_ADDOPTS-}"']
        return [
            *ASK_PYTHON,
            'export COOPERBENCH_PYTEST_ADDOPTS="${PYTEST_ADDOPTS-}"',
            'export PYTEST_ADDOPTS="-p cooperbench_guard ${PYTEST_ADDOPTS-}"',
            # tox gives on what it is told to: version 4 by the one, version 3 by the other.
            'export TOX_OVERRIDE="testenv.pass_env+=PYTEST_ADDOPTS,PYTHONPATH,COOPERBENCH_*"',
            'export TOX_TESTENV_PASSENV="PYTEST_ADDOPTS PYTHONPATH COOPERBENCH_*"',
        ]

    def read_text(self, lines: Sequence[str]) -> Report:
        """Verbose lines, and those of the short summary."""
        tests: dict[str, TestStatus] = {}
        for line in lines:
            verbose = re.match(r"^(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", line)
            short = re.match(r"^(PASSED|XPASS|FAILED|ERROR) (\S+::.+?)(?: - .*)?$", line)
            if verbose:
                keep_worst(tests, verbose.group(1), _WORDS[verbose.group(2)])
            elif short:
                keep_worst(tests, short.group(2), _WORDS[short.group(1)])
        return report_of("pytest-text", tests)


_WORDS = {
    "PASSED": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "ERROR": TestStatus.ERROR,
    "SKIPPED": TestStatus.SKIPPED,
    "XFAIL": TestStatus.SKIPPED,
    "XPASS": TestStatus.PASSED,
}
