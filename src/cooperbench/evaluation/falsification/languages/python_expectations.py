"""Find the expressions that a Python test compares results with."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from cooperbench.evaluation.falsification.edits import EditKind
from cooperbench.evaluation.falsification.vocabulary import TOLERANCE

_EQUAL = {"assertEqual", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSetEqual", "assertCountEqual"}
_EQUAL |= {"assertMultiLineEqual", "assertSequenceEqual", "assertAlmostEqual", "assertIs", "assert_called_with"}
_EQUAL |= {"assert_called_once_with", "assert_any_call", "assert_has_calls"}
_CLOSE_FUNCTIONS = {"assert_allclose", "assert_almost_equal", "assert_array_almost_equal", "assert_close"}
_EQUAL_FUNCTIONS = {"assert_equal", "assert_array_equal", *_CLOSE_FUNCTIONS}
"""Of numpy's and torch's testing, which are imported as functions as well."""
_TOLERANT = {"assertAlmostEqual", *_CLOSE_FUNCTIONS}
_TAKES_DIGITS = {"assertAlmostEqual", "assert_almost_equal", "assert_array_almost_equal"}
"""What takes the tolerance as a number of decimals, if it is not named otherwise."""
_RAISES = {"raises", "assertRaises", "assertRaisesRegex", "warns", "assertWarns"}
_MATCHES = {"raises", "warns", "assertRaisesRegex", "assertWarnsRegex"}
_DIGITS = {"places", "decimal"}
_TOLERANCES = {"rel", "abs", "delta", "rtol", "atol", *_DIGITS}
_LITERAL_CALLS = {"Decimal", "Fraction", "set", "frozenset", "Path", "timedelta", "date", "datetime", "call"}
"""Calls that make an expected value out of constants."""


class Expectation(NamedTuple):
    """Expressions that decide together: to break one of them breaks the test."""

    nodes: tuple[ast.expr, ...]
    kind: EditKind
    wholes: tuple[ast.expr, ...] = ()
    """What may be put into a container, if nothing in `nodes` is known."""
    warning: bool = False
    """For an expected class: that of a warning."""
    tolerant: bool = False
    """True if numbers near the expected one are right as well."""

    def leaves(self) -> Iterator[ast.expr]:
        """Yield the expressions that the expected values are made of."""
        for node in self.nodes:
            # Of several classes only all together can be exchanged: other right work may raise another one.
            yield from [node] if self.kind is EditKind.RAISES else leaves(node)


def expectations(function: ast.AST) -> Iterator[Expectation]:
    """Yield what a test expects."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            yield from _condition(node.test, ast.Eq)
        elif isinstance(node, ast.If) and always_fails(node):
            yield from (each for each in _condition(node.test, ast.NotEq) if each.kind is EditKind.VALUE)
        elif isinstance(node, ast.Call):
            yield from _call(node, called(node))


def comparisons(test: ast.expr) -> list[ast.Compare]:
    """Return the comparisons that all have to hold if a condition is to hold."""
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return [each for each in parts if isinstance(each, ast.Compare)]


def always_fails(node: ast.If) -> bool:
    """Tell whether a branch fails the test."""
    return any(
        isinstance(each, ast.Raise) or re.match(r"(pytest|self)\.fail\(", ast.unparse(each)) for each in node.body
    )


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def leaves(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the constants and names that make up a value; of other calls, indices and operations the whole."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        inside = node.elts
    elif isinstance(node, ast.Dict):
        inside = node.values
    elif isinstance(node, ast.UnaryOp):
        inside = [node.operand]
    elif isinstance(node, ast.Call) and called(node) == "approx" and _is_close(node, exact=1):
        inside = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "expected")]
    elif isinstance(node, ast.Call) and called(node) in _LITERAL_CALLS:
        inside = [*node.args, *(each.value for each in node.keywords)]
    else:
        yield node
        return
    for each in inside:
        yield from leaves(each)


def _made_by_the_test(left: ast.expr, right: ast.expr) -> tuple[ast.expr, ...]:
    """Return the side on which tests write what they expect. Two calls may be either way round: then both."""
    return (right, left) if isinstance(right, ast.Call) else (right,)


def _is_approximate(node: ast.expr) -> bool:
    return any(isinstance(each, ast.Call) and called(each) == "approx" for each in ast.walk(node))


def _is_close(node: ast.Call, *, exact: int) -> bool:
    """Tell whether a call allows for little: within a wide tolerance, other correct work may meet what the gold patch misses."""
    digits = called(node) in _TAKES_DIGITS
    given = [(each, digits) for each in node.args[exact:]]
    given += [(each.value, each.arg in _DIGITS) for each in node.keywords if each.arg in _TOLERANCES]
    return all(_is_small(value, digits=each) for value, each in given)


def _is_small(node: ast.expr, *, digits: bool) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    if value is None:
        return isinstance(node, ast.Constant)
    return isinstance(value, (int, float)) and (value > 1 if digits else value <= TOLERANCE)


def _condition(test: ast.expr, equal: type[ast.cmpop]) -> Iterator[Expectation]:
    for node in comparisons(test):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, equal):
                wholes, tolerant = _made_by_the_test(left, right), _is_approximate(left) or _is_approximate(right)
                yield Expectation((left, right), EditKind.VALUE, wholes=wholes, tolerant=tolerant)
            elif isinstance(operator, ast.Is) and isinstance(right, ast.Constant) and isinstance(right.value, bool):
                yield Expectation((left, right), EditKind.VALUE)
            elif isinstance(operator, ast.In):
                yield Expectation((left,), EditKind.NEEDLE)
            left = right


def _call(node: ast.Call, name: str) -> Iterator[Expectation]:
    if name in _RAISES and node.args:
        yield Expectation((node.args[0],), EditKind.RAISES, warning=name in ("warns", "assertWarns"))
    if name in _MATCHES:
        patterns = [keyword.value for keyword in node.keywords if keyword.arg == "match"]
        patterns += node.args[1:2] if name.endswith("Regex") else []
        yield from (Expectation((pattern,), EditKind.MATCH) for pattern in patterns)
    tolerant = name in _TOLERANT
    if tolerant and not _is_close(node, exact=2):
        return
    if name in _EQUAL_FUNCTIONS:
        yield Expectation(tuple(node.args[:2]), EditKind.VALUE, tolerant=tolerant)
    if not isinstance(node.func, ast.Attribute):
        return
    if name in _EQUAL:
        given = (each.value for each in node.keywords if each.arg not in ("msg", "places", "delta"))
        wholes = _made_by_the_test(*node.args[:2]) if name == "assertEqual" and len(node.args) > 1 else ()
        yield Expectation((*node.args[:2], *given), EditKind.VALUE, wholes=wholes, tolerant=tolerant)
    elif name == "assertIn" and node.args:
        yield Expectation((node.args[0],), EditKind.NEEDLE)
    elif name == "assertTrue" and node.args:
        yield from _condition(node.args[0], ast.Eq)
