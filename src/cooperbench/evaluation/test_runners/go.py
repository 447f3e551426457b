"""`go test`: a reporter inside the package `testing` says what really ran (`reporter/go`). Otherwise JSON events or text are read."""

import json
import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.report import RunnerKind, SuiteReport, TestRunner, keep_worst, report_of
from cooperbench.records import TestStatus

_ACTIONS = {"pass": TestStatus.PASSED, "fail": TestStatus.FAILED, "skip": TestStatus.SKIPPED}
_WORDS = {"PASS": TestStatus.PASSED, "FAIL": TestStatus.FAILED, "SKIP": TestStatus.SKIPPED}


class Go(TestRunner):
    """`go test`."""

    kind = RunnerKind.GO
    reporter = (". $reporter/go/setup.sh || true",)
    build_cache = "$reporter/go/cache.sh"
    calls = re.compile(r"\bgo\s+test\b")

    def without_reporter(self, runner: bytes) -> Sequence[str]:
        """Ask for JSON, or for text if the runner filters the output of `go test`."""
        flag = "-v" if re.search(rb"go\s+test[^\n]*\|", runner) else "-json"
        return [f'export GOFLAGS="${{GOFLAGS:+$GOFLAGS }}{flag}"']

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read JSON events, else the lines of `-v`."""
        tests: dict[str, TestStatus] = {}
        for line in lines:
            event = _json_object(line) or {}
            status = _ACTIONS.get(str(event.get("Action")))
            if status is not None and isinstance(event.get("Test"), str):
                name = f"{event.get('Package', '')}:{event['Test']}"
                # JSON can hold halves of characters, and no record can.
                keep_worst(tests, name.encode("utf-8", "replace").decode(), status)
        if tests:
            return report_of("go-json", tests)
        for line in lines:
            found = re.match(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$", line)
            if found:
                keep_worst(tests, found.group(2), _WORDS[found.group(1)])
        return report_of("go-text", tests)


def _json_object(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # the program under test may have printed it
        return None
    return value if isinstance(value, dict) else None
