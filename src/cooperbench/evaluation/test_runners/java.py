"""Maven and Gradle: the JUnit XML files that they write. They are not signed: code under test can write them too."""

import io
import re
import tarfile
from collections.abc import Sequence
from xml.etree import ElementTree

from cooperbench.evaluation.test_runners.report import (
    NO_REPORT,
    RunnerKind,
    SuiteReport,
    TestRunner,
    keep_worst,
    report_of,
)
from cooperbench.records import TestStatus

_ENDS = {
    "failure": TestStatus.FAILED,
    "error": TestStatus.ERROR,
    "rerunFailure": TestStatus.FAILED,
    "rerunError": TestStatus.ERROR,
    "skipped": TestStatus.SKIPPED,
}


class Java(TestRunner):
    """JUnit, run by Maven or Gradle."""

    kind = RunnerKind.JAVA
    calls = re.compile(r"(?:^|[\s/])(?:mvnw?|gradlew?)\s[^\n]*", re.MULTILINE)
    reporter = (": >$reporter/started",)
    collect = (
        "find . -name 'TEST-*.xml' -newer $reporter/started \\( -path '*/surefire-reports/*' -o -path '*/failsafe-reports/*'"
        " -o -path '*/test-results/*' \\) >$reporter/found && [ ! -s $reporter/found ] || tar -cf $reporter/collected.tar -T $reporter/found"
    )

    def without_reporter(self, runner: bytes) -> Sequence[str]:
        """Note the time: both write their reports anyway, and those of the image are older."""
        return self.reporter

    def read_collected(self, data: bytes) -> SuiteReport:
        """Read all files together."""
        tests: dict[str, TestStatus] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        _read_suite(stream.read(), tests)
        except tarfile.TarError:
            return NO_REPORT
        return report_of("junit", tests)

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Return nothing: neither prints the names of its tests."""
        return NO_REPORT


def _read_suite(data: bytes, tests: dict[str, TestStatus]) -> None:
    """Add the cases of one file. One that cannot be read has none."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '')}:{case.get('name', '')}"
        keep_worst(tests, name, next((_ENDS[child.tag] for child in case if child.tag in _ENDS), TestStatus.PASSED))
