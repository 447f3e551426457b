import pytest

from cooperbench.evaluation.stable_names import NOTHING_FIXED, FixedNames, not_passed
from cooperbench.records import TestCase, TestStatus

PASSED, FAILED = TestStatus.PASSED, TestStatus.FAILED


def wrong(source: str, required: str, ran: str, others: str = "", fixed: FixedNames = NOTHING_FIXED) -> list[str]:
    """Names are separated by commas; a failed one begins with `!`."""
    tests = [
        TestCase(name=name.lstrip("!"), status=FAILED if name.startswith("!") else PASSED) for name in ran.split(",")
    ]
    wrong = not_passed(tests, required.split(","), others.split(","), source, fixed)
    return [f"{name} {status}" for name, status in wrong.items()]


@pytest.mark.parametrize(
    ("source", "required", "ran"),
    [
        ("pytest-guard", "t.py::test_a[0x1],t.py::test_a[0x2]", "t.py::test_a[0x3]"),
        ("pytest-guard", "t.py::test_rate_1,t.py::test_b", "t.py::test_rate_2,t.py::test_b"),
        ("pytest-text", "t.py::C::test_rate_1", "t.py::C::test_rate_2"),
        ("unittest-guard", "t.C.test_1,t.C.test_2", "t.C.test_3,t.C.test_4"),
        ("go-guard", "example.org/a.TestX,example.org/a.TestX/v1.0", "example.org/a.TestX,example.org/a.TestX/v1.1"),
        ("go-json", "p:TestX,p:TestX/a/b", "p:TestX,p:TestX/c/d"),
        ("jest-guard", "a.test.ts:rate is 1,a.test.ts:other", "a.test.ts:rate is 1.0,a.test.ts:other"),
        ("vitest-guard", "a.test.ts:made 1", "a.test.ts:made 2"),
        ("junit", "org.C:rate 1", "org.C:rate 2"),
    ],
)
def test_names_made_while_tests_run(source: str, required: str, ran: str) -> None:
    assert wrong(source, required, ran) == []


@pytest.mark.parametrize(
    ("source", "required", "ran", "missing"),
    [
        ("pytest-guard", "t.py::test_a,t.py::test_b", "t.py::test_c", 2),
        ("pytest-guard", "t.py::test_a", "u.py::test_a", 1),
        ("pytest-guard", "t.py::C::test_a", "t.py::D::test_a", 1),
        ("pytest-guard", "t.py::test_a", "!t.py::test_c", 1),
        ("pytest-guard", "t.py::test_a[1]", "t.py::test_b[1]", 1),
        ("pytest-guard", "a[1]/t.py::test_a,a[1]/t.py::test_b", "a[1]/t.py::test_a", 1),
        ("go-guard", "p.TestX,p.TestX/a", "p.TestX", 1),
        ("go-guard", "p.TestX,p.TestX/[a],p.TestX/[b]", "p.TestX,p.TestX/[a]", 1),
        ("go-guard", "p.TestX/a", "p.TestX/b,!p.TestX/c", 1),
        ("go-guard", "p.TestX", "p.TestY", 1),
        ("jest-guard", "a.test.ts:one", "b.test.ts:one", 1),
        ("jest-guard", "pages/[id]/a.test.ts:one,pages/[id]/b.test.ts:two", "pages/[id]/b.test.ts:two", 1),
        ("vitest-guard", "a.test.ts:sum [1],a.test.ts:sum [2]", "a.test.ts:sum [1]", 1),
        ("cargo-guard", "basket:tests::a", "basket:tests::b", 1),
    ],
)
def test_what_did_not_run_is_missed(source: str, required: str, ran: str, missing: int) -> None:
    assert len(wrong(source, required, ran)) == missing


def test_a_test_that_gold_fails_too_stands_for_nothing() -> None:
    assert wrong("pytest-guard", "t.py::test_a", "t.py::test_known", others="t.py::test_known")
    assert not wrong("pytest-guard", "t.py::test_a", "t.py::test_b,!t.py::test_known", others="t.py::test_known")


@pytest.mark.parametrize(
    ("ran", "missing"),
    [
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[x],t.py::test_c[y]", 0),
        ("t.py::test_a[1],t.py::test_b,t.py::test_c[x],t.py::test_c[y]", 1),
        ("t.py::test_a[1],t.py::test_a[3],t.py::test_b,t.py::test_c[x],t.py::test_c[y]", 1),
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_d,t.py::test_c[x],t.py::test_c[y]", 1),
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[v],t.py::test_c[w]", 0),
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[v],!t.py::test_c[w]", 2),
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[x]", 1),
        ("t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[v]", 2),
    ],
)
def test_names_that_the_source_fixes_are_asked_for_one_by_one(ran: str, missing: int) -> None:
    fixed = FixedNames(names=("t.py::test_a[1]", "t.py::test_a[2]", "t.py::test_b"), counted=("t.py::test_c",))
    required = "t.py::test_a[1],t.py::test_a[2],t.py::test_b,t.py::test_c[x],t.py::test_c[y]"
    assert len(wrong("pytest-guard", required, ran, fixed=fixed)) == missing
