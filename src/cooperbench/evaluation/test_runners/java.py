"""Maven and Gradle: the JUnit XML files that they write. They are not signed: code under test can write them too."""

import codecs
import io
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
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

_ENCODING = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding=["']([\w.-]+)["']""")
_DOCUMENT_TYPE = re.compile(r"(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
"""Where one can be: before the root element. Elsewhere it is text that a test printed."""
_PRINTED = re.compile(r"<(system-out|system-err)\b")
"""Begins what tests printed: some writers put it into a file as it is, with the characters of markup."""
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_NO_CHARACTER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


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
                    # No links, and nothing that would be larger in memory than what was read.
                    stream = archive.extractfile(member) if member.isreg() and member.size <= len(data) else None
                    if stream is not None:
                        _read_suite(stream.read(), tests)
        except (tarfile.TarError, ValueError):  # code under test may have written it
            return NO_REPORT
        return report_of("junit", tests)

    def read_text(self, lines: Sequence[str]) -> SuiteReport:
        """Return nothing: neither prints the names of its tests."""
        return NO_REPORT


def _read_suite(data: bytes, tests: dict[str, TestStatus]) -> None:
    """Add the cases of one file. One that cannot be read has none, nor has one that declares a type, which could define entities."""
    text = _text(data)
    root = _parsed(text)
    if root is None:
        root = _parsed("".join(_without_printed(text)))
    for case in () if root is None else root.iter():
        if _tag(case) == "testcase":
            name = f"{case.get('classname', '')}:{case.get('name', '')}"
            ends = [_ENDS[tag] for tag in map(_tag, case) if tag in _ENDS]
            keep_worst(tests, name, ends[0] if ends else TestStatus.PASSED)


def _without_printed(text: str) -> Iterator[str]:
    """Yield a file without what tests printed, in time that is linear."""
    at = 0
    while (start := _PRINTED.search(text, at)) and (end := text.find(f"</{start[1]}>", start.end())) >= 0:
        yield text[at : start.start()]
        at = end + len(f"</{start[1]}>")
    yield text[at:]


def _parsed(text: str) -> ElementTree.Element | None:
    try:
        return None if _DOCUMENT_TYPE.match(text) else ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]  # without its namespace


def _text(data: bytes) -> str:
    """Decode a file without the characters that XML does not know: tests print colours, and some writers keep them."""
    declared = _ENCODING.match(data)
    encoding = declared.group(1).decode() if declared else "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = data.decode(encoding, "replace")
    except (LookupError, UnicodeError):  # a name that means no text, or no encoding that forgives
        text = data.decode("utf-8", "replace")
    text = _REFERENCE.sub(lambda found: "" if _NO_CHARACTER.match(_character(found)) else found.group(), text)
    return _NO_CHARACTER.sub("", text).lstrip("\ufeff \t\r\n")


def _character(reference: re.Match[str]) -> str:
    number = int(reference.group(1), 16) if reference.group(1) else int(reference.group(2))
    return chr(number) if number <= sys.maxunicode else "\0"
