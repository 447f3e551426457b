"""pytest: a plugin of ours, loaded before any code of the repository, writes a signed report (`guard/cooperbench_guard.py`)."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence

from cooperbench.evaluation.test_runners.report import (
    NO_REPORT,
    ReadFile,
    Report,
    Request,
    RunnerKind,
    TestRunner,
    keep_worst,
    report_of,
)
from cooperbench.records import TestCase, TestStatus


class Pytest(TestRunner):
    """pytest, called directly or by something that passes its environment on."""

    kind = RunnerKind.PYTEST
    calls = re.compile(r"\bpytest\b|\bpy\.test\b")

    def ask(self, request: Request) -> Sequence[str]:
        """Load the plugin; where that does not reach pytest, ask for names in its text."""
        if not request.guarded:
            return ['export PYTEST_ADDOPTS="-rA ${PYTEST_ADDOPTS-}"']
        path = f"{request.guard}/once:{request.guard}" if request.skip_install else request.guard
        return [
            'export COOPERBENCH_PYTEST_ADDOPTS="${PYTEST_ADDOPTS-}" COOPERBENCH_PYTHONPATH="${PYTHONPATH-}"',
            'export PYTEST_ADDOPTS="-p cooperbench_guard ${PYTEST_ADDOPTS-}"',
            f'export PYTHONPATH="{path}${{PYTHONPATH:+:$PYTHONPATH}}"',
        ]

    def read_report(self, read: ReadFile, key: bytes) -> Report:
        """The plugin's report, if its signature is the one of the key."""
        data = read("report")
        return NO_REPORT if data is None else read_guard_report(data, key)

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


def read_guard_report(data: bytes, key: bytes) -> Report:
    """The report of the pytest plugin; `NO_REPORT` when its signature is not the one of `key`."""
    signature, _, body = data.partition(b"\n")
    if not hmac.compare_digest(signature, hmac.new(key, body, hashlib.sha256).hexdigest().encode()):
        return NO_REPORT
    report = json.loads(body)
    tests = [TestCase(name=name, status=_status(phases)) for name, phases in report["tests"].items()]
    tests += [TestCase(name=name or "collection", status=TestStatus.ERROR) for name in report["errors"]]
    return Report("pytest-guard", tuple(tests), tuple(report["changed"]))


def _status(phases: Mapping[str, str]) -> TestStatus:
    if phases.get("call") == "failed":
        return TestStatus.FAILED
    if "failed" in phases.values():
        return TestStatus.ERROR
    if phases.get("call") == "passed" and phases.get("teardown") == "passed":
        return TestStatus.PASSED
    return TestStatus.SKIPPED
