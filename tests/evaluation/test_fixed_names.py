"""Names that the source of Python tests fixes, held against what pytest itself collects."""

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.fixed_names import fixed_names

CONFTEST = """
import pytest

def pytest_generate_tests(metafunc):
    if "made" in metafunc.fixturenames:
        metafunc.parametrize("made", ["here", "there"])

@pytest.fixture(params=["one", "two"])
def two(request):
    return request.param

@pytest.fixture
def given(request):
    return request.param
"""
FORMS = """
import sys
import unittest

import pytest
from pytest import mark, param

TABLE = [("a", 1), ("b", 2)]
CHANGED = ["a", "b"]
CHANGED.append("c")
REBOUND = ["a"]
REBOUND = ["b"]
each = pytest.mark.parametrize("x", [1, 2])


def test_fixed_alone(): ...

async def test_fixed_coroutine(): ...

@pytest.mark.skipif(sys.version_info < (2,), reason="old")
def test_fixed_marked(): ...

@pytest.mark.parametrize("x", ["a", "b c", "", "ä", "tab\\t", "back\\\\slash", "a-b", "[1]", "x::y", b"\\x00b'", 1, -2, 1.5, 1e400, 2j, True, None])
def test_fixed_values(x): ...

@pytest.mark.parametrize("x", [[1], (2,), {"a": 1}, {3}, ..., "a" "b"])
def test_fixed_objects(x): ...

@pytest.mark.parametrize("x, y", [("a", 1), ["b", [2]], (True, None)])
def test_fixed_rows(x, y): ...

@pytest.mark.parametrize(("x", "y"), (("a", 1), ("b", 2)), ids=["first", None])
def test_fixed_ids(x, y): ...

@pytest.mark.parametrize(["x"], [["a"], ("b",)])
def test_fixed_one_name_in_a_list(x): ...

@pytest.mark.parametrize("x", ["a", "a", "b", "a", 1, 1])
def test_fixed_duplicates(x): ...

@pytest.mark.parametrize("x", [pytest.param("a"), param(object(), id="own"), pytest.param(1, marks=pytest.mark.skip), "b"])
def test_fixed_params(x): ...

@pytest.mark.parametrize(argvalues=[sys, sys.path], argnames="x", ids=("named", "too"))
def test_fixed_keywords(x): ...

@pytest.mark.parametrize("x", [1, 2])
@pytest.mark.parametrize("y", ["a", "b"])
@mark.parametrize("z", [None])
def test_fixed_stacked(x, y, z): ...

@pytest.mark.parametrize("given", ["a", "b"], indirect=True)
def test_fixed_indirect(given): ...

@pytest.mark.parametrize(("x", "y"), TABLE)
def test_fixed_table(x, y): ...

@pytest.mark.parametrize("k", ["k", "l"])
class TestClass:
    def test_fixed_of_class(self, k): ...

    @pytest.mark.parametrize("x", [1, 2])
    def test_fixed_of_both(self, k, x): ...

    @pytest.mark.parametrize("o", "p")
    class TestInner:
        def test_made_by_text(self, k, o): ...

    @pytest.mark.parametrize("o", ["p"])
    class TestOther:
        @pytest.mark.parametrize("x", [1, 2])
        def test_fixed_inside(self, k, o, x): ...

class TestUnit(unittest.TestCase):
    def test_fixed_method(self): ...

class TestMarked:
    pytestmark = pytest.mark.parametrize("x", [1, 2])

    @pytest.mark.parametrize("y", [1, 2])
    def test_made_by_pytestmark(self, x, y): ...


@pytest.mark.parametrize("x", [int, 2])
def test_counted_names(x): ...

@pytest.mark.parametrize("x", [str(1), "a", "b" * 2, f"{1}"])
def test_counted_calls(x): ...

@pytest.mark.parametrize("x", [1, 2], ids=str)
@pytest.mark.parametrize("y", [1, object])
def test_counted_by_function(x, y): ...

@pytest.mark.parametrize("x", [pytest.param(1, **{"id": "y"}), 2])
def test_counted_given(x): ...


@pytest.mark.parametrize("x", [each for each in "ab"])
def test_made_comprehension(x): ...

@pytest.mark.parametrize("x", [*CHANGED, "a"])
def test_made_starred(x): ...

@pytest.mark.parametrize("x", CHANGED)
def test_made_changed(x): ...

@pytest.mark.parametrize("x", REBOUND)
def test_made_rebound(x): ...

@pytest.mark.parametrize("x", range(2))
def test_made_range(x): ...

@pytest.mark.parametrize("x", ["a", "b"])
def test_made_with_fixture(x, two): ...

def test_made_by_fixture(two): ...

@pytest.mark.parametrize("x", ["a", "b"])
def test_made_by_hook(x, made): ...

@pytest.mark.parametrize(*("x", [1, 2]))
def test_made_unpacked(x): ...

@each
def test_made_by_alias(x): ...

if sys.version_info:
    def test_made_under_a_condition(): ...

def test_made_twice(): ...

def test_made_twice(): ...

def _factory():
    def test(): ...
    return test

test_made_by_assignment = _factory()
"""


def collected(folder: Path, source: str) -> list[str]:
    """Return the names that pytest gives the tests of one file."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    (folder / "tests" / "test_it.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run([*command, "tests"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.split("\n") if line.startswith("tests/test_it.py::")]


def of(names: Collection[str], word: str) -> set[str]:
    return {name for name in names if f"::test_{word}_" in name}


def test_what_is_fixed_is_what_literals_give(tmp_path: Path) -> None:
    names = collected(tmp_path, FORMS)
    found = fixed_names(names, {"tests/test_it.py": FORMS.encode()})
    assert set(found.names) == of(names, "fixed")
    assert set(found.counted) == {name.split("[")[0] for name in of(names, "counted")}
    assert len(found.names) > 60
    assert len(of(names, "made")) > 20


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=4)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda each: st.lists(each, max_size=2) | st.dictionaries(st.text(max_size=2), each, max_size=2),
    max_leaves=4,
)


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(tables=st.lists(st.lists(st.tuples(LITERALS, LITERALS), min_size=1, max_size=6), min_size=20, max_size=30))
def test_ids_are_those_of_pytest(
    tables: list[list[tuple[object, object]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    functions = [
        f"@pytest.mark.parametrize('x', {[row[0] for row in table]!r})\n@pytest.mark.parametrize('y,z', {table!r})\n"
        f"def test_{at}(x, y, z): ...\n"
        for at, table in enumerate(tables)
    ]
    source = "\n".join(["# coding: utf-8", "import pytest", *functions])
    names = collected(tmp_path_factory.mktemp("tables"), source)
    assert set(fixed_names(names, {"tests/test_it.py": source.encode()}).names) == set(names)


@pytest.mark.parametrize(
    ("path", "reported", "is_fixed"),
    [
        ("a/test_b.py", "a/test_b.py::T::test_x", True),
        ("a/test_b.py", "test_b.py::T::test_x", True),
        ("a/test_b.py", "c/test_b.py::T::test_x", False),
        ("a/test_b.py", "a.test_b.T.test_x", True),
        ("a/test_b.py", "test_b.T.test_x", True),
        ("a/test_b.py", "test_b.T.test_y", False),
        ("a/test_b.py", "a/test_b.py::T::test_x[1]", False),
    ],
)
def test_files_are_known_where_runners_start(path: str, reported: str, is_fixed: bool) -> None:
    source = b"class T:\n    def test_x(self): ...\n"
    assert (reported in fixed_names([reported], {path: source}).names) is is_fixed


def test_files_of_one_name_fix_nothing() -> None:
    source = b"def test_x(): ...\n"
    found = fixed_names(["test_b.py::test_x", "a/test_b.py::test_x"], {"a/test_b.py": source, "c/test_b.py": source})
    assert found.names == ("a/test_b.py::test_x",)


def test_what_cannot_be_read_fixes_nothing() -> None:
    found = fixed_names(["a.py::test_x"], {"a.py": b"def test_x(): print 1\n", "b.go": b"func TestX() {}"})
    assert (found.names, found.counted) == ((), ())


TITLES = """import { work } from "../src/work";

test("alone", () => {});
it.only(`plain`, function () { return 1; });
test(`made ${work()}`, () => {});
test(work(), () => {});
test("", () => {});
it("with \\"quotes\\"", () => {});
test.each([1, 2])("row %d", () => {});
test.skip("skipped", () => {});
if (work()) { test("under a condition", () => {}); }
for (const each of [1]) test("in a loop", () => {});
describe("block", () => {
  const helper = () => { return 1; };
  function other() { return 2; }
  test("inside", async () => { return helper(); });
  describe("inner", function () { test.concurrent("deep", async () => {}); });
  describe.each([1])("made %d", () => { test("of a table", () => {}); });
  describe(work(), () => { test("below what is made", () => {}); });
});
describe("early", () => {
  if (!work()) return;
  test("perhaps", () => {});
});
"""


@pytest.mark.parametrize("path", ["src/a.test.ts", "a.test.tsx", "a.spec.js", "a.test.mjs"])
def test_titles_are_fixed_that_are_literals_under_no_condition(path: str) -> None:
    titles = (
        "alone",
        "plain",
        "made 1",
        "1",
        "",
        "row 1",
        "skipped",
        "under a condition",
        "in a loop",
        "early perhaps",
    )
    inside = ("inside", "inner deep", "made 1 of a table", "1 below what is made")
    reported = [f"{path}:{title}" for title in (*titles, *(f"block {title}" for title in inside))]
    fixed = fixed_names(reported, {path: TITLES.encode()}).names
    assert fixed == tuple(f"{path}:{title}" for title in ("alone", "block inner deep", "block inside", "plain"))
