"""jest and vitest: a reporter that node loads before them signs what really ran (`reporter/node`). Otherwise their text is read."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.report import RunnerKind, SuiteReport, TestRunner, keep_worst, report_of
from cooperbench.records import TestStatus

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
    # Every node process loads it; those that run tests report. By a program before node, too, for runners that set these options.
    reporter = (
        'export NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--require=$reporter/node/reporter.cjs"',
        "chmod +x $reporter/node/bin/node",
        '! command -v node >/dev/null || export PATH="$reporter/node/bin:$PATH"',
    )
    calls = re.compile(r"\bjest\b|\b(?:npm|yarn|pnpm)\s+(?:run\s+)?test\b")

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read the lines of the verbose output, below the name of each file."""
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
