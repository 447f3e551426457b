"""Tests that compare with a variable: the value is broken where the variable gets it, in one row of a table."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.falsification.edits import TestFunction, added_lines, describe
from cooperbench.evaluation.falsification.languages import find_tests
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

PYTHON = b"""import pytest
from hypothesis import given, strategies

CASES = [("1", 12)]
ERROR_CASES = [("x", ValueError)]
SEVERAL = {"plum": 14}


@pytest.mark.parametrize(("text", "value"), CASES)
def test_table(text, value):
    assert parse(text) == value, f"not {value}"


@pytest.mark.parametrize("text, value", [pytest.param("2", 21, id="one"), ("3", 31)])
def test_rows(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(argnames=["text", "error"], argvalues=[("x", KeyError)])
def test_errors(text, error):
    with pytest.raises(error):
        parse(text)


@pytest.mark.parametrize("case", [{"given": 3, "total": 13}])
def test_keys(case):
    assert price(case["given"]) == case["total"]


def test_local():
    expected = {"total": 11}
    assert prices() == expected
    for number, answer in [(1, 15)]:
        self.assertEqual(double(number), answer)


def test_once():
    assert stock() == SEVERAL


@given(strategies.integers())
def test_round_trip(number):
    assert decode(encode(number)) == number


def test_changed_meanwhile():
    seen = [16]
    listen(seen.append)
    assert heard() == seen
"""
GO = b"""package shop

type pair struct {
	in, out int
}

func TestTable(t *testing.T) {
	cases := []struct {
		name string
		in   int
		want int
	}{
		{"first", 1, 12},
		{name: "second", in: 2, want: 13},
	}
	for _, c := range cases {
		c := c
		t.Run(c.name, func(t *testing.T) {
			if got := Double(c.in); got != c.want {
				t.Fatalf("%d, not %d", got, c.want)
			}
		})
	}
}

func TestPairs(t *testing.T) {
	for _, each := range []pair{
		{1, 14},
	} {
		assert.Equal(t, each.out, Double(each.in), "of %d", each.out)
	}
}

func TestMap(t *testing.T) {
	for in, answer := range map[int]int{
		3: 15,
	} {
		if diff := cmp.Diff(answer, Double(in)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestVariable(t *testing.T) {
	answer := []int{16}
	if !reflect.DeepEqual(All(), answer) {
		t.Fatal("all")
	}
	price := 17
	if Same(price) != price {
		t.Fatal("price")
	}
}
"""
TYPESCRIPT = b"""const TABLE = [
  [1, 12],
] as const;

test.each(TABLE)("double %i", (n: number, value) => {
  expect(double(n)).toBe(value);
});

it.each([
  { n: 1, value: 13 },
])("rows $n", ({ n, value }) => expect(double(n)).toEqual(value));

it.each`
  n | value
  ${1} | ${14}
`("texts $n", ({ n, value }) => expect(double(n)).toEqual(value));

for (const [n, value] of [[1, 15]]) {
  test(`loop ${n} ${value}`, () => expect(double(n)).toBe(value));
}

test("names", () => {
  const expected = { total: 16 };
  const price = 17;
  expect(prices()).toEqual(expected);
  expect(same(price)).toBe(price);
});
"""
RUST = b"""#[rstest]
#[case(1, 12)]
#[case::second(2, 13)]
fn cases(#[case] n: i32, #[case] value: i32) {
    assert_eq!(double(n), value, "not {}", value);
}

#[test_case(3 => 14; "three")]
fn returned(n: i32) -> i32 {
    double(n)
}

#[test]
fn table() {
    let table = vec![(1, 15)];
    for (n, value) in &table {
        assert_eq!(double(*n), *value);
    }
    let expected = Some(16);
    assert_eq!(next(), expected);
    let price = 17;
    assert_eq!(same(price), price);
}

#[test]
fn fields() {
    for case in [(1, 18)].iter() {
        assert!(double(case.0) == case.1);
    }
}
"""
SOURCES = {"tests/test_a.py": PYTHON, "a_test.go": GO, "a.test.ts": TYPESCRIPT, "tests/a.rs": RUST}
WORDS = b"77 77 77"

BROKEN = [
    ("tests/test_a.py", "test_table", 'CASES = [("1", 77)]'),
    ("tests/test_a.py", "test_rows", '[pytest.param("2", 77, id="one"), ("3", 31)]'),
    ("tests/test_a.py", "test_rows", '[pytest.param("2", 21, id="one"), ("3", 77)]'),
    ("tests/test_a.py", "test_errors", 'argvalues=[("x", ValueError)]'),
    ("tests/test_a.py", "test_keys", '[{"given": 3, "total": 77}]'),
    ("tests/test_a.py", "test_local", 'expected = {"total": 77}'),
    ("tests/test_a.py", "test_local", "for number, answer in [(1, 77)]:"),
    ("tests/test_a.py", "test_once", 'SEVERAL = {"plum": 77}'),
    ("tests/test_a.py", "test_round_trip", "assert decode(encode(number)) == {0: number}"),
    ("tests/test_a.py", "test_changed_meanwhile", "assert heard() == {0: seen}"),
    ("a_test.go", "TestTable", '{"first", 1, 77},'),
    ("a_test.go", "TestTable", '{name: "second", in: 2, want: 77},'),
    ("a_test.go", "TestPairs", "{1, 77},"),
    ("a_test.go", "TestMap", "3: 77,"),
    ("a_test.go", "TestVariable", "answer := []int{77}"),
    ("a_test.go", "TestVariable", "if Same(price) != 77 {"),
    ("a.test.ts", "double %i", "[1, 77],"),
    ("a.test.ts", "rows $n", "{ n: 1, value: 77 },"),
    ("a.test.ts", "texts $n", "${1} | ${77}"),
    ("a.test.ts", "loop ${n} ${value}", "of [[1, 77]]) {"),
    ("a.test.ts", "names", "const expected = { total: 77 };"),
    ("a.test.ts", "names", "expect(same(price)).toBe([price]);"),
    ("tests/a.rs", "cases", "#[case(1, 77)]"),
    ("tests/a.rs", "cases", "#[case::second(2, 77)]"),
    ("tests/a.rs", "returned", '#[test_case(3 => 77; "three")]'),
    ("tests/a.rs", "table", "let table = vec![(1, 77)];"),
    ("tests/a.rs", "table", "let expected = Some(77);"),
    ("tests/a.rs", "table", "assert_eq!(same(price), 77);"),
    ("tests/a.rs", "fields", "in [(1, 77)].iter() {"),
]


def by_name(path: str) -> dict[str, TestFunction]:
    source = SOURCES[path]
    found = find_tests(path, source, Vocabulary([source, WORDS]))
    return {test.name: test.sorted(added_lines(None, source), source) for test in found}


@pytest.mark.parametrize(("path", "name", "after"), BROKEN)
def test_the_value_is_broken_where_it_comes_from(path: str, name: str, after: str) -> None:
    test = by_name(path)[name]
    assert any(after in describe(test, edit, SOURCES[path]).after for edit in test.edits)


@pytest.mark.parametrize("path", SOURCES)
def test_what_is_equal_to_everything_fails_the_first_choice(path: str) -> None:
    """Where a comparison is turned round it passes: there is a value for each of these tests, and it comes first."""
    for test in by_name(path).values():
        first = [edit.kind for edit in test.edits if edit.rank()[:3] == test.edits[0].rank()[:3]]
        assert first
        assert {"operator", "negate"}.isdisjoint(first), test.name


@pytest.mark.parametrize("path", SOURCES)
def test_inputs_stay(path: str) -> None:
    """What a test gives to the code is never another thing, also where a result is compared with the same variable."""
    inputs = (
        '"1"',
        '"2"',
        '("3"',
        '("x"',
        "given",
        "number, answer in [(1",
        "price := 17",
        "price = 17",
        "seen = [16]",
    )
    for test in by_name(path).values():
        for edit in test.edits:
            shown = describe(test, edit, SOURCES[path])
            assert [each for each in inputs if each in shown.before] == [each for each in inputs if each in shown.after]


@settings(max_examples=60)
@given(st.sampled_from(sorted(SOURCES)), st.randoms(use_true_random=False))
def test_no_source_is_too_strange(path: str, rnd: random.Random) -> None:
    words = re.findall(rb"\w+|\s+|.", SOURCES[path])
    for _ in range(rnd.randint(1, 12)):
        words[rnd.randrange(len(words))] = rnd.choice([b"", b"{", b")", b",", b"want", *words])
    source = b"".join(words)
    find_tests(path, source, Vocabulary([source, WORDS]))
