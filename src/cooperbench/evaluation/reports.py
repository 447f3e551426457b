"""Reading what a test runner says: structured reports where it gives them, else the lines of a known runner, fully.

Nothing here decides whether a suite passed; it only names tests and their results. Text is read line by line in the runner's
own format, never searched for a phrase.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from cooperbench.records import TestCase, TestStatus


class RunnerKind(StrEnum):
    """The test runner that a task's `runner.sh` calls."""

    PYTEST = "pytest"
    GO = "go"
    CARGO = "cargo"
    JEST = "jest"
    VITEST = "vitest"
    UNKNOWN = "unknown"


class Report(NamedTuple):
    """What a runner reported."""

    source: str
    """`pytest-guard`, `go-json`, `go-text`, `jest-json`, `jest-text`, `cargo-text`, `pytest-text`; empty when nothing was recognised."""
    tests: tuple[TestCase, ...] = ()
    changed: tuple[str, ...] = ()
    """Tests and functions of the runner that were replaced while it ran."""


NO_REPORT = Report("")

_CALLS = (
    (RunnerKind.CARGO, r"\bcargo\s+(?:\S+\s+)*?(?:test|nextest)\b"),
    (RunnerKind.GO, r"\bgo\s+test\b"),
    (RunnerKind.VITEST, r"\bvitest\b"),
    (RunnerKind.JEST, r"\bjest\b|\b(?:npm|yarn|pnpm)\s+(?:run\s+)?test\b"),
    (RunnerKind.PYTEST, r"\bpytest\b|\bpy\.test\b"),
)


def runner_kind(runner: bytes) -> RunnerKind:
    """Which test runner a `runner.sh` calls."""
    text = re.sub(r"(?m)^\s*#.*$", "", runner.decode("utf-8", "replace"))
    found = [(match.start(), kind) for kind, pattern in _CALLS for match in re.finditer(pattern, text)]
    # The last call is the one that tests; earlier ones may list or prepare.
    return max(found)[1] if found else RunnerKind.UNKNOWN


def read_guard_report(data: bytes, key: bytes) -> Report:
    """The report of the pytest plugin; `NO_REPORT` when its signature is not the one of `key`."""
    signature, _, body = data.partition(b"\n")
    if not hmac.compare_digest(signature, hmac.new(key, body, hashlib.sha256).hexdigest().encode()):
        return NO_REPORT
    report = json.loads(body)
    tests = [TestCase(name=name, status=_pytest_status(phases)) for name, phases in report["tests"].items()]
    tests += [TestCase(name=name or "collection", status=TestStatus.ERROR) for name in report["errors"]]
    return Report("pytest-guard", tuple(tests), tuple(report["changed"]))


def _pytest_status(phases: Mapping[str, str]) -> TestStatus:
    if phases.get("call") == "failed":
        return TestStatus.FAILED
    if "failed" in phases.values():
        return TestStatus.ERROR
    if phases.get("call") == "passed" and phases.get("teardown") == "passed":
        return TestStatus.PASSED
    return TestStatus.SKIPPED


def read_output(kind: RunnerKind, output: str) -> Report:
    """The results in a runner's own output."""
    lines = [_strip_colours(line) for line in output.splitlines()]
    if kind is RunnerKind.GO:
        return _read_go(lines)
    if kind is RunnerKind.CARGO:
        return _read_cargo(lines)
    if kind in (RunnerKind.JEST, RunnerKind.VITEST):
        return _read_jest_text(lines, kind)
    if kind is RunnerKind.PYTEST:
        return _read_pytest_text(lines)
    for reader in (_read_pytest_text, _read_go, _read_cargo):
        report = reader(lines)
        if report is not NO_REPORT:
            return report
    return NO_REPORT


def _strip_colours(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)


_GO_ACTIONS = {"pass": TestStatus.PASSED, "fail": TestStatus.FAILED, "skip": TestStatus.SKIPPED}
_GO_WORDS = {"PASS": TestStatus.PASSED, "FAIL": TestStatus.FAILED, "SKIP": TestStatus.SKIPPED}


def _read_go(lines: list[str]) -> Report:
    tests: dict[str, TestStatus] = {}
    for line in lines:
        event = _json_object(line)
        if event is not None and isinstance(event.get("Test"), str) and event.get("Action") in _GO_ACTIONS:
            tests[f"{event.get('Package', '')}:{event['Test']}"] = _GO_ACTIONS[str(event["Action"])]
    if tests:
        return Report("go-json", _cases(tests))
    for line in lines:
        found = re.match(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$", line)
        if found:
            _keep_worst(tests, found.group(2), _GO_WORDS[found.group(1)])
    return Report("go-text", _cases(tests)) if tests else NO_REPORT


_CARGO_WORDS = {
    "ok": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "failed": TestStatus.FAILED,
    "ignored": TestStatus.SKIPPED,
}


def _read_cargo(lines: list[str]) -> Report:
    tests: dict[str, TestStatus] = {}
    binary = ""
    summaries = 0
    for line in lines:
        running = re.match(r"^\s*Running (?:unittests )?(\S+)", line)
        documentation = re.match(r"^\s*Doc-tests (\S+)", line)
        result = re.match(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|failed|ignored)\b", line)
        if running or documentation:
            binary = (running or documentation).group(1)  # type: ignore[union-attr]
        elif result:
            _keep_worst(tests, f"{binary}:{result.group(1)}", _CARGO_WORDS[result.group(2)])
        summaries += bool(re.match(r"^test result: (ok|FAILED)\. \d+ passed; \d+ failed;", line))
    return Report("cargo-text", _cases(tests)) if tests and summaries else NO_REPORT


def read_jest_json(data: bytes) -> Report:
    """The report of `jest --json` or of vitest's JSON reporter."""
    try:
        report = json.loads(data)
        files = report["testResults"]
        tests: dict[str, TestStatus] = {}
        for file in files:
            for case in file["assertionResults"]:
                name = " ".join([*case.get("ancestorTitles", []), case["title"]])
                _keep_worst(
                    tests, f"{_relative(file['name'])}:{name}", _JEST_WORDS.get(case["status"], TestStatus.SKIPPED)
                )
            if file.get("status") == "failed" and not file["assertionResults"]:
                tests[_relative(file["name"])] = TestStatus.ERROR
    except (ValueError, KeyError, TypeError):
        return NO_REPORT
    return Report("jest-json", _cases(tests)) if tests else NO_REPORT


_JEST_WORDS = {"passed": TestStatus.PASSED, "failed": TestStatus.FAILED}
_JEST_MARKS = {
    "✓": TestStatus.PASSED,
    "√": TestStatus.PASSED,
    "✕": TestStatus.FAILED,
    "×": TestStatus.FAILED,
    "○": TestStatus.SKIPPED,
    "↓": TestStatus.SKIPPED,
}


def _relative(name: str) -> str:
    return name.removeprefix("/workspace/repo/")


def _read_jest_text(lines: list[str], kind: RunnerKind) -> Report:
    tests: dict[str, TestStatus] = {}
    file = ""
    for line in lines:
        head = re.match(r"^\s*(?:PASS|FAIL)\s+(\S+)", line)
        case = re.match(r"^(\s+)([✓√✕×○↓]) (.+?)(?: \(?\d+(?:\.\d+)? ?m?s\)?)?$", line)
        if head:
            file = head.group(1)
        elif case:
            _keep_worst(tests, f"{file}:{case.group(3)}", _JEST_MARKS[case.group(2)])
    return Report(f"{kind}-text", _cases(tests)) if tests else NO_REPORT


_PYTEST_WORDS = {
    "PASSED": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "ERROR": TestStatus.ERROR,
    "SKIPPED": TestStatus.SKIPPED,
    "XFAIL": TestStatus.SKIPPED,
    "XPASS": TestStatus.PASSED,
}


def _read_pytest_text(lines: list[str]) -> Report:
    tests: dict[str, TestStatus] = {}
    for line in lines:
        verbose = re.match(r"^(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b", line)
        short = re.match(r"^(PASSED|XPASS|FAILED|ERROR) (\S+::.+?)(?: - .*)?$", line)
        if verbose:
            _keep_worst(tests, verbose.group(1), _PYTEST_WORDS[verbose.group(2)])
        elif short:
            _keep_worst(tests, short.group(2), _PYTEST_WORDS[short.group(1)])
    return Report("pytest-text", _cases(tests)) if tests else NO_REPORT


_SEVERITY = (TestStatus.PASSED, TestStatus.SKIPPED, TestStatus.FAILED, TestStatus.ERROR)


def _keep_worst(tests: dict[str, TestStatus], name: str, status: TestStatus) -> None:
    """A name that is reported twice keeps the worse result: printing a line that says `ok` must not help."""
    known = tests.get(name, status)
    tests[name] = max(known, status, key=_SEVERITY.index)


def _cases(tests: Mapping[str, TestStatus]) -> tuple[TestCase, ...]:
    return tuple(TestCase(name=name, status=status) for name, status in tests.items())


def _json_object(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
