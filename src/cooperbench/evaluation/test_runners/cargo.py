"""`cargo test`: the script that runs test programs reads the log of Rust's own harness (`reporter/cargo`). Otherwise text is read."""

import re
from collections.abc import Sequence

from cooperbench.evaluation.test_runners.report import (
    NO_REPORT,
    RunnerKind,
    SuiteReport,
    TestRunner,
    keep_worst,
    report_of,
)
from cooperbench.records import TestCase, TestStatus

_WORDS = {
    "ok": TestStatus.PASSED,
    "FAILED": TestStatus.FAILED,
    "failed": TestStatus.FAILED,
    "ignored": TestStatus.SKIPPED,
}
# "Running unittests src/lib.rs (target/debug/deps/name-0123abcd)": the place is relative to the crate, whose name tells crates of a
# workspace apart.
_BINARY = re.compile(
    r"^\s*(?:Running (?:unittests )?|Doc-tests )(?P<place>\S+)(?: \((?:\S*/)?(?P<crate>[^/\s]+?)(?:-[0-9a-f]{8,})?(?:\.exe)?\))?"
)


class Cargo(TestRunner):
    """`cargo test` and `cargo nextest`."""

    kind = RunnerKind.CARGO
    reporter = (". $reporter/cargo/setup.sh || true",)
    calls = re.compile(r"\bcargo\s+(?:\S+\s+)*?(?:test|nextest)\b")

    def complete(self, signed: SuiteReport, lines: Sequence[str]) -> SuiteReport:
        """Add documentation tests, which rustdoc runs itself."""
        start = next((number for number, line in enumerate(lines) if line.strip().startswith("Doc-tests ")), None)
        if "cargo-guard" not in signed.source or start is None:
            return signed
        text = self.read_text(lines[start:])
        tests = tuple(TestCase(name=f"Doc-tests {test.name}", status=test.status) for test in text.tests)
        return signed._replace(tests=signed.tests + tests)

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Read every test binary's lines, if a summary follows them."""
        tests: dict[str, TestStatus] = {}
        binary = ""
        summaries = 0
        for line in lines:
            running = _BINARY.match(line)
            result = re.match(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|failed|ignored)\b", line)
            if running:
                binary = ":".join(part for part in (running["crate"], running["place"]) if part)
            elif result:
                # Where a documentation test stands moves with every line that somebody adds above it.
                name = re.sub(r" \(line \d+\)", "", result.group(1))
                keep_worst(tests, f"{binary}:{name}", _WORDS[result.group(2)])
            summaries += bool(re.match(r"^test result: (ok|FAILED)\. \d+ passed; \d+ failed;", line))
        return report_of("cargo-text", tests) if summaries else NO_REPORT
