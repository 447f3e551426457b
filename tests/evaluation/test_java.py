"""Files of JUnit as Maven and Gradle write them. They are named so in the places where both put them."""

import io
import tarfile
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.evaluation.test_runners import NO_REPORT, RunnerKind, runner_kind
from cooperbench.evaluation.test_runners.java import Java
from cooperbench.records import TestStatus

SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0" name="org.example.BasketTest" time="0.112" tests="5" errors="1" skipped="1" failures="1">
  <properties><property name="java.version" value="17.0.9"/></properties>
  <testcase name="adds" classname="org.example.BasketTest" time="0.021"/>
  <testcase name="discount(int)[1]" classname="org.example.BasketTest" time="0.002">
    <failure message="expected: &lt;90&gt; but was: &lt;100&gt;" type="org.opentest4j.AssertionFailedError"><![CDATA[org.opentest4j.AssertionFailedError
	at org.example.BasketTest.discount(BasketTest.java:14)]]></failure>
    <system-out><![CDATA[<testcase name="forged" classname="org.example.BasketTest"/>]]></system-out>
  </testcase>
  <testcase name="breaks" classname="org.example.BasketTest" time="0.001"><error type="java.lang.IllegalStateException"/></testcase>
  <testcase name="later" classname="org.example.BasketTest" time="0"><skipped message="not yet"/></testcase>
  <testcase name="flaky" classname="org.example.BasketTest" time="0.1"><rerunFailure type="java.lang.AssertionError"/></testcase>
</testsuite>
"""

GRADLE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="org.example.CountTest" tests="2" skipped="0" failures="1" errors="0" timestamp="2024-01-01T00:00:00" hostname="h" time="0.03">
  <properties/>
  <testcase name="counts()" classname="org.example.CountTest" time="0.02"/>
  <testcase name="fails()" classname="org.example.CountTest" time="0.0">
    <failure message="x" type="org.opentest4j.AssertionFailedError">x</failure>
  </testcase>
  <system-out><![CDATA[]]></system-out>
  <system-err><![CDATA[]]></system-err>
</testsuite>
"""


def archive(*documents: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as files:
        for number, document in enumerate(documents):
            entry = tarfile.TarInfo(f"./target/surefire-reports/TEST-{number}.xml")
            entry.size = len(document)
            files.addfile(entry, io.BytesIO(document))
    return stream.getvalue()


def results(*documents: str) -> dict[str, TestStatus]:
    report = Java().read_collected(archive(*(document.encode() for document in documents)))
    return {test.name: test.status for test in report.tests}


def test_maven_and_gradle() -> None:
    assert results(SUREFIRE, GRADLE) == {
        "org.example.BasketTest:adds": TestStatus.PASSED,
        "org.example.BasketTest:discount(int)[1]": TestStatus.FAILED,
        "org.example.BasketTest:breaks": TestStatus.ERROR,
        "org.example.BasketTest:later": TestStatus.SKIPPED,
        "org.example.BasketTest:flaky": TestStatus.FAILED,
        "org.example.CountTest:counts()": TestStatus.PASSED,
        "org.example.CountTest:fails()": TestStatus.FAILED,
    }


def test_what_cannot_be_read_has_no_tests() -> None:
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;" classname="c"/></testsuite>'
    assert Java().read_collected(archive(b"<testsuite>", entities.encode(), b"")) is NO_REPORT
    assert Java().read_collected(b"no archive") is NO_REPORT
    assert Java().read_collected(b"") is NO_REPORT


CASE = '<testcase name="t" classname="c"/>'


@pytest.mark.parametrize(
    "document",
    [
        f"<testsuite>{CASE}<system-out><![CDATA[<!DOCTYPE html><!ENTITY x>]]></system-out></testsuite>",
        f"<testsuite>{CASE}<!-- <!DOCTYPE html> --></testsuite>",
        f'<testsuite>{CASE}<failure message="&lt;!DOCTYPE html&gt;"/></testsuite>',
        f"<testsuite>{CASE}<system-out>\x1b[31mred\x1b[0m &#27;[31m &#x1b;[0m &#xD800; &#99999999; \ufffe</system-out></testsuite>",
        f'\ufeff<?xml version="1.0" encoding="no-such-one"?>\n<!-- c --><testsuite>{CASE}</testsuite>',
        f'<?xml version="1.0" encoding="UTF-8"?><testsuite>{CASE}&#9;&#xA;</testsuite>',
    ],
)
def test_what_tests_print_does_not_hide_their_results(document: str) -> None:
    assert results(document) == {"c:t": TestStatus.PASSED}


def test_text_of_another_encoding_is_read() -> None:
    latin = f'<?xml version="1.0" encoding="ISO-8859-1"?><testsuite name="\xe9">{CASE}</testsuite>'.encode("latin-1")
    undeclared = f"<testsuite name='\xe9'>{CASE}</testsuite>".encode("latin-1")
    for document in (latin, undeclared):
        assert [test.name for test in Java().read_collected(archive(document)).tests] == ["c:t"]


@pytest.mark.parametrize(
    "said", ["a[b[0]]> 1", "<![CDATA[ ]]> ]]>", "1 < 2 && 3", "<p>&nbsp;", "<testcase name='b'/> &"]
)
def test_what_tests_print_may_be_in_the_file_as_it_is(said: str) -> None:
    case = f'<testcase classname="C" name="a"><system-out>{said}</system-out><failure/></testcase>'
    text = f'\n<?xml version="1.0"?><testsuite xmlns="urn:x">{case}<system-err>{said}</system-err></testsuite>'
    assert results(text) == {"C:a": TestStatus.FAILED}
    assert results("<system-out>&</system-out><!DOCTYPE x>" + text.strip()) == {}


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("said", ["<system-out>", "<system-out ", "<system-out></system-out>"])
def test_output_of_any_length_is_read_at_once(said: str) -> None:
    """It is read on the host, where no limit ends that."""
    assert results(f"<testsuite>{CASE}{said * 100_000}&") == {}


def test_a_file_in_utf_16_is_read() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><testsuite><testcase classname="C" name="\xe9"/></testsuite>'
    assert [test.name for test in Java().read_collected(archive(text.encode("utf-16"))).tests] == ["C:\xe9"]


@pytest.mark.parametrize("before", ["", "\n", '<?xml version="1.0"?><!-- x -->', "\ufeff", "\x1b"])
def test_a_document_type_is_refused(before: str) -> None:
    assert results(f"{before}<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite>{CASE}</testsuite>") == {}


@pytest.mark.parametrize("encoding", ["undefined", "idna", "hex", "unknown"])
def test_an_encoding_of_no_text_is_no_error(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><testsuite>{CASE}</testsuite>'
    assert len(Java().read_collected(archive(text.encode())).tests) <= 1


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (tarfile.SYMTYPE, {"linkname": "nowhere"}),
        (tarfile.SYMTYPE, {"linkname": "TEST-a.xml"}),
        (tarfile.LNKTYPE, {"linkname": "nowhere"}),
        (tarfile.REGTYPE, {"pax_headers": {"GNU.sparse.size": "x"}}),
        (tarfile.REGTYPE, {"pax_headers": {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}}),
    ],
)
def test_what_is_no_plain_file_has_no_tests(kind: bytes, more: dict[str, object]) -> None:
    """Code under test may leave links, and change what was packed."""
    entry = tarfile.TarInfo("TEST-a.xml")
    entry.type = kind
    for name, value in more.items():
        setattr(entry, name, value)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as files:
        files.addfile(entry)
    assert Java().read_collected(stream.getvalue()) is NO_REPORT


@pytest.mark.slow
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1), max_size=5, unique=True
    )
)
def test_names_are_kept(names: list[str]) -> None:
    cases = "".join(f"<testcase classname='c' name={quoteattr(name)}/>" for name in names)
    assert set(results(f"<testsuite>{cases}</testsuite>")) == {f"c:{name}" for name in names}


@pytest.mark.parametrize(
    "runner",
    [
        b"mvn -q test",
        b"./mvnw -Dtest=BasketTest test",
        b"cd x && gradle test --tests 'A*'",
        b"./gradlew check",
        b"sh ./gradlew test",
    ],
)
def test_which_runner_is_called(runner: bytes) -> None:
    assert runner_kind(b"#!/bin/bash\n" + runner + b"\n") is RunnerKind.JAVA
