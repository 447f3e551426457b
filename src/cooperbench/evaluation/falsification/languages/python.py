"""Break Python tests: asserts, `pytest.raises`, and the assertions of unittest and mock, found in the syntax tree."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from random import Random

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.python_expectations import (
    Expectation,
    always_fails,
    called,
    comparisons,
    expectations,
    leaves,
)
from cooperbench.evaluation.falsification.languages.python_names import Function, Names
from cooperbench.evaluation.falsification.vocabulary import OwnValues, Vocabulary, typo, unlikely

_OPERATORS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.Lt: ("<", ">="),
    ast.GtE: (">=", "<"),
    ast.Gt: (">", "<="),
    ast.LtE: ("<=", ">"),
}
_PAIRS = (
    ("assertTrue", "assertFalse"),
    ("assertEqual", "assertNotEqual"),
    ("assertAlmostEqual", "assertNotAlmostEqual"),
    ("assertIn", "assertNotIn"),
    ("assertIs", "assertIsNot"),
    ("assertIsNone", "assertIsNotNone"),
    ("assertIsInstance", "assertNotIsInstance"),
    ("assertGreater", "assertLessEqual"),
    ("assertLess", "assertGreaterEqual"),
    ("assertRegex", "assertNotRegex"),
    ("assert_called", "assert_not_called"),
)
_OPPOSITES = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}, "assert_called_once": "assert_not_called"}
_EXCEPTIONS = ("KeyError", "TypeError", "ValueError", "AttributeError", "IndexError", "RuntimeError", "OSError")


SHORT = 5
"""Characters below which one letter more or less is often found elsewhere."""


def python_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the tests of a source. Returns nothing if this interpreter cannot read it."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    module = _Module(source, tree, vocabulary)
    return [
        TestFunction(path=path, name=name, reported=_reported(path, name), edits=tuple(module.edits(function)))
        for name, function in _functions(tree.body, "")
    ]


def _reported(path: str, name: str) -> str:
    """Match `a/test_b.py::Class::test[case]` of pytest and `a.test_b.Class.test` of unittest.

    In the text of unittest that is `a.test_b.Class:test`, and since Python 3.11 `a.test_b.Class.test:test`.
    """
    dotted = re.escape(name).replace("::", r"(?:::?|\.)")
    again = re.escape(name.rpartition(":")[2])
    return rf"(?:^|[./]){re.escape(PurePosixPath(path).stem)}(?:\.py::|\.){dotted}(?::{again})?(?:\[.*)?$"


def _functions(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, Function]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _functions(node.body, prefix)


class _Module:
    """One source, and the edits of its expectations."""

    def __init__(self, source: bytes, tree: ast.Module, vocabulary: Vocabulary) -> None:
        self._source = source
        self._vocabulary = vocabulary
        self._names = Names(tree)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._exceptions = [name for name in _EXCEPTIONS if len(re.findall(rb"\b%s\b" % name.encode(), source)) > 1]
        self._random = Random(0)
        self._own = OwnValues(())

    def edits(self, function: Function) -> Iterator[Edit]:
        """Yield the edits of one test. The same source always gives the same ones."""
        self._random = Random(ast.dump(function))
        self._own = OwnValues(self._literals(function))
        expected = list(expectations(function))
        leaves = [leaf for each in expected for leaf in each.leaves()]
        for each in expected:
            found = [edit for leaf in each.leaves() for edit in self._leaf(function, leaf, each, leaves)]
            yield from found
            for whole in each.wholes if not found else ():
                yield from self._wrapped(whole)
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                yield from self._operators(node.test)
                yield from self._negation(node.test)
            elif isinstance(node, ast.If) and always_fails(node):
                yield from self._operators(node.test)
            elif isinstance(node, ast.Call):
                yield from self._opposite(node)

    def _literals(self, function: ast.AST) -> Iterator[tuple[int, str]]:
        for node in ast.walk(function):
            if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float)):
                start, end = self._span(node)
                source = self._source[start:end].decode()
                if isinstance(node.value, str) and "\\" not in source and "\n" not in source:
                    yield start, node.value
                elif not isinstance(node.value, (str, bool)):
                    yield start, source

    def _leaf(
        self, function: Function, leaf: ast.expr, expectation: Expectation, expected: Sequence[ast.expr]
    ) -> Iterator[Edit]:
        """Edit a part of an expected value, or what gives it its value."""
        kind, values = expectation.kind, list(self._names.values(function, leaf, expected))
        if kind is EditKind.RAISES:
            for each in values or [leaf]:
                yield from self._raises(each, warning=expectation.warning)
            return
        for each in (part for value in values or [leaf] for part in leaves(value)):
            if isinstance(each, ast.Constant):
                yield from self._constant(each, kind, tolerant=expectation.tolerant)

    def _wrapped(self, node: ast.expr) -> Iterator[Edit]:
        """Put a value into a dictionary, which nothing is equal to that is equal to the value."""
        if not isinstance(node, (ast.Starred, ast.Yield, ast.YieldFrom)):
            start, end = self._span(node)
            # Not into a list: a number of numpy's equals a list of itself, where another correct work returns a plain number.
            yield self._edit(start, end, f"{{0: {self._source[start:end].decode()}}}", EditKind.WRAPPED, quiet=False)

    def _operators(self, test: ast.expr) -> Iterator[Edit]:
        for node in comparisons(test):
            left = node.left
            for operator, right in zip(node.ops, node.comparators, strict=True):
                yield from self._operator(self._span(left)[1], self._span(right)[0], *_OPERATORS[type(operator)])
                left = right

    def _operator(self, start: int, end: int, old: str, new: str) -> Iterator[Edit]:
        gap = self._source[start:end]
        found = re.search(rb"(?<!\w)" + rb"\s+".join(map(re.escape, old.encode().split())) + rb"(?!\w)", gap)
        if found and b"#" not in gap:
            yield self._edit(start + found.start(), start + found.end(), new, EditKind.OPERATOR, quiet=False)

    def _negation(self, test: ast.expr) -> Iterator[Edit]:
        start, end = self._span(test)
        text = self._source[start:end].decode()
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._span(test.operand)[0]
            if b"(" not in self._source[start:inner]:
                yield self._edit(start, inner, "", EditKind.NEGATE, quiet=False)
        elif isinstance(test, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            yield self._edit(start, start, "not ", EditKind.NEGATE, quiet=False)
        elif "\n" not in text:
            yield self._edit(start, end, f"not ({text})", EditKind.NEGATE, quiet=False)

    def _opposite(self, node: ast.Call) -> Iterator[Edit]:
        name = called(node)
        if isinstance(node.func, ast.Attribute) and name in _OPPOSITES:
            end = self._span(node.func)[1]
            yield self._edit(end - len(name), end, _OPPOSITES[name], EditKind.OPERATOR, quiet=False)

    def _raises(self, expected: ast.expr, *, warning: bool) -> Iterator[Edit]:
        start, end = self._span(expected)
        used = ast.unparse(expected)
        if warning:
            yield self._edit(start, end, "BytesWarning", EditKind.RAISES, quiet=False)
            return
        quiet = [name for name in self._exceptions if name not in used]
        for name in [*quiet, *(name for name in _EXCEPTIONS if name not in used and name not in quiet)][:3]:
            yield self._edit(start, end, name, EditKind.RAISES, quiet=name in quiet)

    def _constant(self, node: ast.Constant, kind: EditKind, *, tolerant: bool) -> Iterator[Edit]:
        start, end = self._span(node)
        old, value = self._source[start:end].decode(), node.value
        own = self._own.near(start)
        others = self._numbers(old, own, tolerant=tolerant) if _is_number(old) else self._others(old, value, kind, own)
        for new, quiet in others:
            if _same_type(new, value) and new.count("\n") == old.count("\n"):
                yield self._edit(start, end, new, kind, quiet=quiet)

    def _numbers(self, old: str, own: Sequence[str], *, tolerant: bool) -> Iterator[tuple[str, bool]]:
        return ((each, True) for each in self._vocabulary.numbers(old, self._random, own, tolerant=tolerant))

    def _others(self, old: str, value: object, kind: EditKind, own: Sequence[str]) -> Iterator[tuple[str, bool]]:
        rnd = self._random
        if isinstance(value, bool):
            yield str(not value), True
        elif isinstance(value, (str, bytes)) and value and "\\" not in old:
            opening = re.match(r"[a-zA-Z]*('''|\"\"\"|'|\")", old)
            if opening is None:
                return
            head, tail = opening[0], opening[1]
            body = old[len(head) : len(old) - len(tail)]
            # A text that has to be found may by chance be found elsewhere: only long ones, and never exchanged as a whole.
            if kind is EditKind.VALUE:
                texts = self._vocabulary.texts(body, rnd, own)
            else:
                texts = self._vocabulary.phrases(body, rnd) if len(body) >= 8 else []
            yield from ((head + text + tail, True) for text in texts if tail not in text)
            is_short = kind is not EditKind.VALUE and len(body) < SHORT
            changed = unlikely(body, rnd) if is_short else typo(body, rnd)
            yield from [(head + changed + tail, False)] if changed else []

    def _span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    @staticmethod
    def _edit(start: int, end: int, text: str, kind: EditKind, *, quiet: bool) -> Edit:
        return Edit(start=start, end=end, text=text, kind=kind, quiet=quiet)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _same_type(text: str, value: object) -> bool:
    try:
        new: object = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return False
    return type(new) is type(value) and new != value
