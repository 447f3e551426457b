"""The output of one failing test among that of a whole suite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.evaluation.test_output import LONGEST, outputs_of

PYTEST = """\
..FF
=================================== FAILURES ===================================
__________________________________ test_one ___________________________________

    def test_one():
>       assert 1 == 2

tests/test_b.py:5: AssertionError
_______________________________ TestBox.test_two _______________________________
tests/test_b.py:9: in test_two
    boom()
=========================== short test summary info ============================
FAILED tests/test_b.py::test_one
"""
CARGO = """\
running 2 tests
test parse::works ... FAILED

failures:

---- parse::works stdout ----
thread 'parse::works' panicked at src/lib.rs:9:9:
left: 1

failures:
    parse::works
"""
GO = """\
=== RUN   TestAdd
    add_test.go:7: got 1
--- FAIL: TestAdd (0.00s)
=== RUN   TestSub
--- PASS: TestSub (0.00s)
FAIL
"""
UNITTEST = """\
======================================================================
FAIL: test_one (tests.Box.test_one)
----------------------------------------------------------------------
AssertionError: 1 != 2

----------------------------------------------------------------------
Ran 1 test in 0.001s
"""


@pytest.mark.parametrize(
    ("output", "name", "says", "never"),
    [
        (PYTEST, "tests/test_b.py::test_one", "assert 1 == 2", "boom"),
        (PYTEST, "tests/test_b.py::TestBox::test_two", "boom()", "short test summary"),
        (CARGO, "parse::works", "left: 1", "failures:"),
        (GO, "TestAdd", "add_test.go:7: got 1", "TestSub"),
        (UNITTEST, "tests.Box.test_one", "AssertionError: 1 != 2", "FAIL:"),
    ],
)
def test_a_test_has_its_own_output(output: str, name: str, says: str, never: str) -> None:
    text = outputs_of([name], output)[name]
    assert says in text
    assert never not in text


def test_of_two_tests_of_one_name_each_has_its_own() -> None:
    other = PYTEST.replace("test_b.py", "test_a.py").replace("1 == 2", "3 == 4").split("FAILURES")[1]
    found = outputs_of(["tests/test_a.py::test_one", "tests/test_b.py::test_one"], PYTEST + other)
    assert "3 == 4" in found["tests/test_a.py::test_one"]
    assert "1 == 2" in found["tests/test_b.py::test_one"]


def test_without_sections_nothing_is_known() -> None:
    assert outputs_of(["tests/test_b.py::test_one"], "Killed\n") == {}


@given(st.text(alphabet="_=-* \nFAIL:testRUN●one", max_size=400), st.integers(0, 4))
def test_any_text_is_cut(text: str, times: int) -> None:
    found = outputs_of(["tests/test_b.py::test_one", "one"], text + PYTEST * times + text)
    assert all(len(output) <= LONGEST + 10 for output in found.values())


@pytest.mark.timeout(60)
def test_many_sections_and_many_tests_take_no_time() -> None:
    """Every one for every test took a quarter of an hour: what is printed decides about both."""
    names = [f"test_many.py::test_{number}" for number in range(20_000)]
    assert outputs_of(names, "  ● a\n" * 20_000) == {}


@pytest.mark.timeout(60)
def test_blank_lines_take_no_time() -> None:
    assert outputs_of(["test_many.py::test_1"], "\n" * 2_000_000) == {}
