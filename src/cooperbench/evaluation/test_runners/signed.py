"""Read the signed reports of the reporters inside the sandbox (`evaluation/reporter`), and make the keys that they sign with.

Every test program takes the next key of a chain from a file, and leaves there only the one that follows from it. So the code under
test finds no key that any earlier report was signed with, and a program that ended without its report leaves a gap.
"""

import hashlib
import hmac
from collections.abc import Iterator
from itertools import islice

from cooperbench.evaluation.test_runners.report import NO_REPORT, SuiteReport, keep_worst, report_of
from cooperbench.records import TestStatus

WITHOUT_REPORT = "a test program that ended without its report"
MOST_OTHERS = 1000
"""Reports beside those of the chain that are looked at: code under test may leave millions."""
TWO_REPORTS = "two reports were signed with one key"
_STATUSES = {
    b"passed": TestStatus.PASSED,
    b"failed": TestStatus.FAILED,
    b"skipped": TestStatus.SKIPPED,
    b"error": TestStatus.ERROR,
}


def first_state(key: str) -> bytes:
    """Return the file from which the first test program takes its key: how many were taken, and the next one."""
    return f"0 {key}\n".encode()


def next_key(key: str) -> str:
    """Return the key after this one."""
    return hashlib.sha256(key.encode()).hexdigest()


def sign(key: str, body: bytes) -> str:
    """Sign a report, as the reporters do in their own languages."""
    return hashlib.sha256((key + hashlib.sha256(body).hexdigest()).encode()).hexdigest()


def read_signed(data: bytes, key: str) -> SuiteReport:
    """Join all reports that follow the state of the chain at the end.

    Returns `NO_REPORT` if nothing was signed, or the reporters cannot have left that state.
    """
    state, _, rest = data.partition(b"\n")
    count = _number(state.split(b" ")[0]) or 0
    if count > len(data) // 64 + 1000:
        return NO_REPORT  # a chain that long was not walked by reporters
    keys = [key]
    for _ in range(count):
        keys.append(next_key(keys[-1]))
    if state != f"{count} {keys[-1]}".encode():
        return NO_REPORT
    found = islice(_sections(rest), count + MOST_OTHERS)
    signed = [(place, body) for place, signature, body in found if _is_signed(place, signature, body, keys)]
    tests: dict[str, TestStatus] = {}
    changed: set[str] = set()
    for _, body in signed:
        _read_body(body, tests, changed)
    places = {place for place, _ in signed}
    if len(places) < count:
        changed.add(WITHOUT_REPORT)
    if len(places) < len(signed):
        changed.add(TWO_REPORTS)
    source = "+".join(sorted({body.split(b"\n", 1)[0].decode("ascii", "replace") for _, body in signed}))
    report = report_of(source, tests)
    return report if report is NO_REPORT else report._replace(changed=tuple(sorted(changed)))


def _is_signed(place: int, signature: str, body: bytes, keys: list[str]) -> bool:
    return place < len(keys) - 1 and hmac.compare_digest(signature, sign(keys[place], body))


def _sections(data: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Yield place in the chain, signature and body of each report, in time that is linear."""
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        words = data[at:end].split(b" ")
        place, size = (_number(words[0]), _number(words[2])) if len(words) == 3 else (None, None)
        if place is None or size is None:
            return
        at = end + 1 + size
        yield place, words[1].decode("ascii", "replace"), data[end + 1 : at]


def _number(word: bytes) -> int | None:
    """Read a count. Python refuses to read numbers of thousands of digits, which code under test may have left."""
    return int(word) if word.isdigit() and len(word) < 16 else None


def _read_body(body: bytes, tests: dict[str, TestStatus], changed: set[str]) -> None:
    for line in body.split(b"\n")[1:]:
        word, _, name = line.partition(b" ")
        text = name.decode("utf-8", "replace")
        if word in _STATUSES:
            keep_worst(tests, text, _STATUSES[word])
        elif word == b"changed":
            changed.add(text)
