"""Edits break what a test expects and nothing else: in place, one line for one line."""

import ast
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.evaluation.falsification.edits import TestFunction, added_lines, apply_edits, describe
from cooperbench.evaluation.falsification.languages import can_break, find_tests
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

WORDS = b'"pear" "pear" "plum" "plum" 77 77 88 88 9 9 "over there" "over there" TypeError TypeError'

PYTHON = b"""import pytest


class TestShop:
    def test_price(self):
        assert price("apple", 3) == {"total": 12, "parts": [4, -4]}
        assert "apple pie" in describe(1)
        assert stock["apple"] >= 5
        with pytest.raises(ValueError, match="not in stock"):
            price("nut")


@pytest.mark.parametrize("n", [1, 2])
def test_many(n):
    self.assertEqual(count(n), 7, "seven")
    sold.assert_called_once_with("apple", at=3)
    assert not closed(n)


def helper():
    assert 1 == 1
"""

GO = b"""package shop

func TestPrice(t *testing.T) {
	if got := Price("apple", 3); got != 12 {
		t.Fatalf("price %d, not 12", got)
	}
	if tc.wantErr {
		if err == nil {
			t.Fatal("no error")
		}
	}
	require.NoError(t, err)
	assert.Equal(t, "apple", Name(3), "name")
}

func helper(n int) bool { return n != 12 }
"""

JAVASCRIPT = b"""describe("shop", () => {
  it.each([1, 2])("costs %s", (n) => {
    expect(price("apple", n)).toEqual({ total: 12, parts: [4] });
    expect(closed(1)).not.toBe(true);
    expect(open()).toBeTruthy();
  });
});
"""

RUST = b"""#[cfg(test)]
mod tests {
    #[test]
    fn price() {
        assert_eq!(super::price("apple", 3), Some(12u32));
        assert!(super::open(3), "open");
    }

    #[test]
    #[should_panic(expected = "not in stock")]
    fn none() {
        super::price("nut", 1);
    }

    fn helper() {}
}
"""

SOURCES = {"tests/test_shop.py": PYTHON, "shop_test.go": GO, "src/shop.test.ts": JAVASCRIPT, "src/lib.rs": RUST}


def found_in(path: str, source: bytes | None = None) -> dict[str, TestFunction]:
    text = SOURCES[path] if source is None else source
    return {test.name: test for test in find_tests(path, text, Vocabulary([text, WORDS]))}


def changed_lines(path: str, name: str) -> dict[str, set[str]]:
    """The lines that edits of a test give, by the line that was there."""
    found: dict[str, set[str]] = {}
    for edit in found_in(path)[name].edits:
        shown = describe(found_in(path)[name], edit, SOURCES[path])
        found.setdefault(shown.before, set()).add(shown.after)
    return found


@pytest.mark.parametrize("path", SOURCES)
def test_lines_stay_where_they_are(path: str) -> None:
    source = SOURCES[path]
    for test in found_in(path).values():
        assert test.edits
        for edit in test.edits:
            broken = apply_edits(source, [edit])
            before, after = source.splitlines(), broken.splitlines()
            assert len(before) == len(after)
            assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def test_python_expectations_and_no_inputs() -> None:
    found = changed_lines("tests/test_shop.py", "TestShop::test_price")
    dictionary = found['assert price("apple", 3) == {"total": 12, "parts": [4, -4]}']
    assert 'assert price("apple", 3) == {"total": 77, "parts": [4, -4]}' in dictionary
    assert all(line.startswith(('assert price("apple", 3) ', "assert not (price")) for line in dictionary)
    # Another limit may hold by chance, and so may a single other word: only the opposite is certain.
    assert found['assert stock["apple"] >= 5'] == {
        'assert stock["apple"] < 5',
        'assert not (stock["apple"] >= 5)',
    }
    raises = found['with pytest.raises(ValueError, match="not in stock"):']
    assert 'with pytest.raises(TypeError, match="not in stock"):' in raises
    found = changed_lines("tests/test_shop.py", "test_many")
    assert all('"seven"' in line for line in found['self.assertEqual(count(n), 7, "seven")'])
    assert found["assert not closed(n)"] == {"assert closed(n)"}


def test_go_conditions_that_fail_the_test() -> None:
    found = changed_lines("shop_test.go", "TestPrice")
    assert 'if got := Price("apple", 3); got == 12 {' in found['if got := Price("apple", 3); got != 12 {']
    assert 'if got := Price("apple", 3); got != 77 {' in found['if got := Price("apple", 3); got != 12 {']
    assert "if tc.wantErr {" not in found  # its body fails only under a further condition
    assert found["if err == nil {"] == {"if err != nil {"}
    assert found["require.NoError(t, err)"] == {"require.Error(t, err)"}
    assert 't.Fatalf("price %d, not 12", got)' not in found


def test_matchers_of_jest_and_vitest() -> None:
    found = changed_lines("src/shop.test.ts", "shop costs %s")
    assert (
        'expect(price("apple", n)).toEqual({ total: 4, parts: [4] });'
        in found['expect(price("apple", n)).toEqual({ total: 12, parts: [4] });']
    )
    assert found["expect(closed(1)).not.toBe(true);"] == {"expect(closed(1)).toBe(true);"}
    assert found["expect(open()).toBeTruthy();"] == {"expect(open()).toBeFalsy();"}


def test_assertion_macros() -> None:
    found = changed_lines("src/lib.rs", "tests::price")
    assert found['assert!(super::open(3), "open");'] == {'assert!(!(super::open(3)), "open");'}
    values = found['assert_eq!(super::price("apple", 3), Some(12u32));']
    assert 'assert_eq!(super::price("apple", 3), Some(77u32));' in values
    assert all('price("apple", 3)' in line for line in values)
    assert (
        "#[allow(unused)]" in changed_lines("src/lib.rs", "tests::none")['#[should_panic(expected = "not in stock")]']
    )


@pytest.mark.parametrize(
    ("path", "test", "reported", "foreign"),
    [
        ("tests/test_shop.py", "test_many", "tests/test_shop.py::test_many[1]", "tests/test_shop.py::test_many_more"),
        ("tests/test_shop.py", "TestShop::test_price", "tests.test_shop.TestShop.test_price", "test_shop.test_price"),
        ("tests/test_shop.py", "TestShop::test_price", "tests.test_shop.TestShop:test_price", "test_shop:test_price"),
        (
            "tests/test_shop.py",
            "TestShop::test_price",
            "tests.test_shop.TestShop.test_price:test_price",
            "tests.test_shop.TestShop.test_price:test_prices",
        ),
        ("shop_test.go", "TestPrice", "example.org/shop.TestPrice/tenth", "example.org/shop.TestPriceless"),
        ("src/shop.test.ts", "shop costs %s", "src/shop.test.ts:shop costs 12", "src/other.test.ts:shop costs 12"),
        ("src/lib.rs", "tests::price", "shop:shop:tests::price", "shop:shop:tests::price_list"),
    ],
)
def test_tests_are_known_by_their_reported_names(path: str, test: str, reported: str, foreign: str) -> None:
    pattern = re.compile(found_in(path)[test].reported)
    assert pattern.search(reported)
    assert not pattern.search(foreign)


@pytest.mark.parametrize("path", SOURCES)
def test_functions_that_are_not_tests_stay(path: str) -> None:
    assert not [name for name in found_in(path) if "helper" in name]


def test_edits_of_lines_that_the_patch_adds_come_first() -> None:
    before = PYTHON.replace(b"        assert stock", b"        assert dock")
    test = found_in("tests/test_shop.py")["TestShop::test_price"].sorted(added_lines(before, PYTHON), PYTHON)
    assert describe(test, test.edits[0], PYTHON).before.startswith("assert stock")
    assert not test.edits[-1].patched


def test_quiet_values_come_before_everything_else() -> None:
    test = found_in("tests/test_shop.py")["TestShop::test_price"].sorted(added_lines(None, PYTHON), PYTHON)
    ranks = [edit.rank() for edit in test.edits]
    assert ranks == sorted(ranks)
    assert test.edits[0].quiet
    assert test.edits[0].kind == "value"


def test_what_is_turned_round_comes_last() -> None:
    """An object that is equal to everything fails it, as right work does: no challenge may choose it beside a value."""
    source = b"#[test]\nfn tenth() {\n    assert_eq!(basket::discount(100), 90);\n}\n"
    test = find_tests("tests/discount.rs", source, Vocabulary([]))[0].sorted(added_lines(None, source), source)
    assert [edit.kind for edit in test.edits] == ["value", "value", "operator"]
    assert [edit.rank()[2] for edit in test.edits] == [False, False, True]


def test_a_tests_own_values_come_first() -> None:
    """Who accepts whatever is made of a test's own words does not tell them apart."""
    source = b"def test_push():\n    assert push({'tags': ['a']}, 'b') == {'tags': ['a', 'b']}\n"
    (test,) = find_tests("test_a.py", source, Vocabulary([WORDS]))
    texts = [edit.text for edit in test.edits if edit.quiet]
    assert texts[:2] == ["'b'", "'tags'"]
    rust = b"#[test]\nfn tenth() {\n    assert_eq!(discount(100), 90);\n}\n"
    assert find_tests("tests/a.rs", rust, Vocabulary([WORDS]))[0].edits[0].text == "100"


EXPECTED = {
    "test_a.py": b"def test_a(books):\n    expected = {'a': 12}\n    given = 3\n    assert f(given) == expected\n    assert g(given) == books.all()\n",
    "a.test.ts": b'test("a", () => {\n  const expected = { a: 12 };\n  const given = 3;\n  expect(f(given)).toEqual(expected);\n  expect(g(given)).toEqual(books.all());\n});\n',
    "tests/a.rs": b"#[test]\nfn a() {\n    let expected = 12;\n    let given = 3;\n    assert_eq!(f(given), expected);\n    assert_eq!(g(given), all(given));\n}\n",
}


@pytest.mark.parametrize("path", EXPECTED)
def test_what_was_made_to_be_expected_is_broken_where_it_was_made(path: str) -> None:
    """A name that is used for nothing else. What is computed is put into a container: only what equals everything equals that."""
    source = EXPECTED[path]
    (test,) = find_tests(path, source, Vocabulary([WORDS]))
    lines = {describe(test, edit, source).after for edit in test.edits if edit.kind in ("value", "wrapped")}
    assert any("expected" in line and "12" not in line for line in lines)
    assert not any(line.startswith(("given", "const given", "let given")) for line in lines)
    if not path.endswith(".rs"):
        wrapped = "{0: books.all()}" if path.endswith(".py") else "[books.all()]"
        assert any(wrapped in line for line in lines)


class Scalar(float):
    """A number that is compared with each element of a list, as numpy's are."""

    def __eq__(self, other: object) -> bool:
        return all(map(self.__eq__, other)) if isinstance(other, list) else float(self) == other

    __hash__ = float.__hash__


def test_what_compares_element_by_element_is_not_equal_to_what_was_put_into_a_container() -> None:
    """The gold patch may return plain numbers, and another correct work numpy's."""
    source = b"def test_a(wanted):\n    assert total() == wanted()\n"
    (test,) = find_tests("test_a.py", source, Vocabulary([WORDS]))
    wrapped = [edit for edit in test.edits if edit.kind == "wrapped"]
    assert wrapped
    for edit in wrapped:
        names: dict[str, Callable[[Callable[[], float]], None]] = {}
        exec(apply_edits(source, [edit]), {"total": lambda: Scalar(3)}, names)
        with pytest.raises(AssertionError):
            names["test_a"](lambda: 3.0)


WIDE = [
    ("test_a.py", "assert f(1) == pytest.approx(3.1, abs=0.5)"),
    ("test_a.py", "assert f(1) == approx(3.1, 0.5)"),
    ("test_a.py", "assert f(1) == approx(3.1, abs=near)"),
    ("test_a.py", "self.assertAlmostEqual(f(1), 3.1, delta=0.5)"),
    ("test_a.py", "self.assertAlmostEqual(f(1), 3.1, 0)"),
    ("test_a.py", "assert_allclose(f(1), [3.1], rtol=0.5)"),
    ("test_a.py", "np.testing.assert_array_almost_equal(f(1), [3.1], 0)"),
    ("a.test.ts", "expect(f(1)).toBeCloseTo(3.1, 0);"),
    ("a.test.ts", "expect(f(1)).toBeCloseTo(3.1, near);"),
    ("a_test.go", "assert.InDelta(t, 3.1, f(1), 0.5)"),
    ("a_test.go", 'require.InEpsilonf(t, 3.1, f(1), near, "f")'),
    ("a_test.go", "assert.WithinDuration(t, time.Unix(3, 1), f(1), time.Second)"),
    ("a_test.go", "for _, c := range []struct{want int}{{want: 31}} { assert.InDelta(t, c.want, f(1), 5) }"),
    ("tests/a.rs", "assert_relative_eq!(f(1), 3.1, epsilon = 0.5);"),
    ("tests/a.rs", "assert_abs_diff_eq!(f(1), 3.1, epsilon = near);"),
]
NARROW = [
    ("test_a.py", "assert f(1) == {'a': pytest.approx(3.1, rel=0.01)}"),
    ("test_a.py", "self.assertAlmostEqual(f(1), 3.1, places=2)"),
    ("test_a.py", "assert_allclose(f(1), [3.1], 1e-3, atol=0.1)"),
    ("test_a.py", "close_enough(f(1), 3)\n    assert f(1) == 3.1"),
    ("test_a.py", "assert f(1) == approx(1234567)"),
    ("a.test.ts", "expect(f(1)).toBeCloseTo(3);"),
    ("a_test.go", "assert.InDelta(t, 3.1, f(1), 0.1)"),
    ("a_test.go", "for _, c := range []struct{want int}{{want: 3}} { assert.InDelta(t, c.want, f(1), 0.1) }"),
    ("a_test.go", "for _, c := range []struct{want float64}{{want: 3.1}} { if !near(c.want, f(1)) { t.Fatal() } }"),
    ("tests/a.rs", "assert_relative_eq!(f(1), 3.1, epsilon = 1e-3, max_relative = 0.1);"),
    ("tests/a.rs", "assert_ulps_eq!(f(1), 3.1, max_ulps = 4);"),
]
BODIES = {
    "test_a.py": "def test_a(self):\n    {}\n",
    "a.test.ts": 'test("a", () => {{ {} }});\n',
    "a_test.go": "package a\n\nfunc TestA(t *testing.T) {{\n\t{}\n}}\n",
    "tests/a.rs": "#[test]\nfn a() {{\n    {}\n}}\n",
}


def values_of(path: str, line: str) -> list[str]:
    source = BODIES[path].format(line).encode()
    (test,) = find_tests(path, source, Vocabulary([b"3.5 3.5 3.2 3.2 4 4 1234568 1234568 35 35"]))
    return [edit.text for edit in test.edits if edit.kind == "value"]


@pytest.mark.parametrize(("path", "line"), WIDE)
def test_what_is_compared_with_a_wide_tolerance_gets_no_other_value(path: str, line: str) -> None:
    """3.5 as well as 3.1 may be near enough to other correct work, and not to the gold patch."""
    assert not values_of(path, line)


@pytest.mark.parametrize(("path", "line"), NARROW)
def test_what_is_compared_with_a_narrow_tolerance_gets_a_value_far_away(path: str, line: str) -> None:
    """Decimal numbers always do: a tolerance may hide in a helper function."""
    old = 1234567 if "1234567" in line else 3.1 if "3.1" in line else 3
    found = [float(text) for text in values_of(path, line)]
    assert found
    for new in found:
        assert abs(new - old) > 2 * 0.1 + 0.1 * (old + new)


@pytest.mark.parametrize(
    ("value", "near"), [("90", {"80"}), ("1200", {"1100", "1300"}), ("1", {"2"}), ("77", {"76", "78"})]
)
def test_numbers_have_neighbours_as_round_as_themselves(value: str, near: set[str]) -> None:
    """Work that believes every price below 100 that is a multiple of ten must not get through."""
    source = f"def test_a():\n    assert f(100) == {value}\n".encode()
    (test,) = find_tests("test_a.py", source, Vocabulary([]))
    assert near | {"100"} == {edit.text for edit in test.edits if edit.kind == "value"}


def test_short_texts_that_have_to_be_found_are_made_longer() -> None:
    """An object that holds everything fails `not in`, as right work does."""
    source = b"def test_a():\n    assert 'ab' in f(1)\n"
    (test,) = find_tests("test_a.py", source, Vocabulary([WORDS]))
    assert re.fullmatch(r"'ab[a-z]{5}'", test.edits[0].text)


def test_unknown_languages_have_no_tests() -> None:
    assert not can_break("shop_test.rb")
    assert find_tests("shop_test.rb", b"assert 1", Vocabulary([])) == []


@given(st.binary(max_size=300))
def test_no_source_is_too_strange(source: bytes) -> None:
    for path in SOURCES:
        find_tests(path, source, Vocabulary([source]))


@given(st.lists(st.sampled_from(PYTHON.decode().splitlines(keepends=True)), max_size=30))
def test_broken_python_is_python(lines: list[str]) -> None:
    source = "".join(lines).encode()
    for test in find_tests("test_a.py", source, Vocabulary([source, WORDS])):
        ast.parse(apply_edits(source, [edit for edit in test.edits if edit.kind == "value"]))
