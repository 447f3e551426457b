"""Only who took a key from the chain can report, and who took one has to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.evaluation.test_runners import NO_REPORT, first_state, read_signed
from cooperbench.evaluation.test_runners.signed import WITHOUT_REPORT, next_key, sign
from cooperbench.records import TestStatus

KEY = "a" * 64
BODY = b"go-guard\npassed p.TestA\nskipped p.TestB\nfailed p.TestC/x y\nchanged tests/a.py\n\nended\n"


def section(place: int, body: bytes, key: str | None = None) -> bytes:
    taken = KEY
    for _ in range(place):
        taken = next_key(taken)
    return f"{place} {sign(key or taken, body)} {len(body)}\n".encode() + body


def state(count: int) -> bytes:
    key = KEY
    for _ in range(count):
        key = next_key(key)
    return f"{count} {key}\n".encode()


def test_a_report() -> None:
    report = read_signed(state(1) + section(0, BODY), KEY)
    assert report.source == "go-guard"
    assert report.changed == ("tests/a.py",)
    assert {test.name: test.status for test in report.tests} == {
        "p.TestA": TestStatus.PASSED,
        "p.TestB": TestStatus.SKIPPED,
        "p.TestC/x y": TestStatus.FAILED,
    }


def test_several_programs_are_one_report_with_the_worst_of_each_test() -> None:
    other = b"jest-guard\nfailed p.TestA\n"
    report = read_signed(state(2) + section(1, other) + section(0, BODY), KEY)
    assert report.source == "go-guard+jest-guard"
    assert report.tests[0].status is TestStatus.FAILED
    assert report.changed == ("tests/a.py",)


def test_a_program_without_its_report_is_noted() -> None:
    assert WITHOUT_REPORT in read_signed(state(2) + section(1, BODY), KEY).changed
    assert read_signed(first_state(KEY), KEY) is NO_REPORT


def test_two_reports_with_one_key_are_noted() -> None:
    report = read_signed(state(1) + section(0, BODY) + section(0, b"go-guard\npassed p.TestD\n"), KEY)
    assert any("one key" in name for name in report.changed)


def test_who_turns_the_chain_back_reports_nothing() -> None:
    assert read_signed(state(0) + section(0, BODY), KEY) is NO_REPORT
    assert read_signed(b"1 " + b"b" * 64 + b"\n" + section(0, BODY), KEY) is NO_REPORT
    assert read_signed(b"99999999999 " + b"b" * 64 + b"\n", KEY) is NO_REPORT


def test_a_later_key_does_not_sign_an_earlier_report() -> None:
    stolen = next_key(KEY)
    report = read_signed(state(2) + section(0, BODY, key=stolen), KEY)
    assert report is NO_REPORT or not report.tests


@given(st.binary(max_size=300))
def test_noise_is_no_report(data: bytes) -> None:
    assert read_signed(data, KEY) is NO_REPORT
    report = read_signed(state(1) + data, KEY)
    assert not report.tests


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_report_that_was_edited_does_not_count(position: int, flip: int) -> None:
    edited = bytearray(section(0, BODY))
    edited[-1 - position] ^= flip
    assert not read_signed(state(1) + bytes(edited), KEY).tests


def test_numbers_without_an_end_are_no_report() -> None:
    """Python refuses to read integers of thousands of digits."""
    endless = b"9" * 6000
    assert read_signed(endless + b" " + b"b" * 64 + b"\n", KEY) is NO_REPORT
    for section_head in (b"0 " + b"b" * 64 + b" " + endless, endless + b" " + b"b" * 64 + b" 1"):
        assert read_signed(state(1) + section(0, BODY) + section_head + b"\n", KEY).source == "go-guard"


@pytest.mark.timeout(60)
def test_reports_without_an_end_are_read_at_once() -> None:
    assert read_signed(state(1) + section(0, BODY) + b"0 b 0\n" * 1_000_000, KEY).source == "go-guard"
