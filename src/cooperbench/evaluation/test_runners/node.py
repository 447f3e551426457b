"""jest and vitest: their JSON report, requested through node before the tool starts (`guard/cooperbench_guard.cjs`)."""

import json
import re
from collections.abc import Sequence

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
from cooperbench.records import TestStatus

_WORDS = {"passed": TestStatus.PASSED, "failed": TestStatus.FAILED}
_MARKS = {
    "✓": TestStatus.PASSED,
    "√": TestStatus.PASSED,
    "✕": TestStatus.FAILED,
    "×": TestStatus.FAILED,
    "○": TestStatus.SKIPPED,
    "↓": TestStatus.SKIPPED,
}


class Jest(TestRunner):
    """jest, called directly or by a script of `package.json`."""

    kind = RunnerKind.JEST
    calls = re.compile(r"\bjest\b|\b(?:npm|yarn|pnpm)\s+(?:run\s+)?test\b")

    def ask(self, request: Request) -> Sequence[str]:
        """Load our file in every node process; the one that is the tool takes its options."""
        if not request.guarded:
            return []
        required = f"--require={request.guard}/cooperbench_guard.cjs"
        return [f'export NODE_OPTIONS="${{NODE_OPTIONS:+$NODE_OPTIONS }}{required}"']

    def read_report(self, read: ReadFile, key: bytes) -> Report:
        """The tool's JSON."""
        data = read("report.json")
        return NO_REPORT if data is None else read_jest_json(data)

    def read_text(self, lines: Sequence[str]) -> Report:
        """The lines of the verbose reporter, below the name of each file."""
        tests: dict[str, TestStatus] = {}
        file = ""
        for line in lines:
            head = re.match(r"^\s*(?:PASS|FAIL)\s+(\S+)", line)
            case = re.match(r"^(\s+)([✓√✕×○↓]) (.+?)(?: \(?\d+(?:\.\d+)? ?m?s\)?)?$", line)
            if head:
                file = head.group(1)
            elif case:
                keep_worst(tests, f"{file}:{case.group(3)}", _MARKS[case.group(2)])
        return report_of(f"{self.kind}-text", tests)


class Vitest(Jest):
    """vitest, whose reports look like jest's."""

    kind = RunnerKind.VITEST
    calls = re.compile(r"\bvitest\b")


def read_jest_json(data: bytes) -> Report:
    """The report of `jest --json` or of vitest's JSON reporter."""
    try:
        report = json.loads(data)
        tests: dict[str, TestStatus] = {}
        for file in report["testResults"]:
            path = file["name"].removeprefix("/workspace/repo/")
            for case in file["assertionResults"]:
                name = " ".join([*case.get("ancestorTitles", []), case["title"]])
                keep_worst(tests, f"{path}:{name}", _WORDS.get(case["status"], TestStatus.SKIPPED))
            if file.get("status") == "failed" and not file["assertionResults"]:
                tests[path] = TestStatus.ERROR
    except (ValueError, KeyError, TypeError):
        return NO_REPORT
    return report_of("jest-json", tests)
