"""Break Go tests: conditions whose body fails the test, expected values in tables of cases, and testify's assertions."""

import re
from collections.abc import Iterator

import tree_sitter_go
from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.go_names import GoNames
from cooperbench.evaluation.falsification.languages.syntax import (
    Literals,
    arguments_of,
    field,
    in_place_of,
    is_small,
    replace,
    walk,
)
from cooperbench.evaluation.falsification.vocabulary import Vocabulary
from cooperbench.evaluation.grammars import parser, text_of

_SWAP = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_FAILS = {"Fatal", "Fatalf", "Error", "Errorf", "Fail", "FailNow"}
_PAIRS = (
    ("Equal", "NotEqual"),
    ("True", "False"),
    ("Nil", "NotNil"),
    ("NoError", "Error"),
    ("Contains", "NotContains"),
    ("Empty", "NotEmpty"),
    ("Zero", "NotZero"),
    ("ErrorIs", "NotErrorIs"),
    ("Greater", "LessOrEqual"),
    ("Less", "GreaterOrEqual"),
    ("Regexp", "NotRegexp"),
)
_OPPOSITES = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}
_VALUES = {"Equal", "EqualValues", "Exactly", "Len", "EqualError", "JSONEq", "ElementsMatch"}
_CLOSE = {"InDelta", "InEpsilon", "InDeltaSlice", "InEpsilonSlice"}
_NEAR = re.compile(r"\b(math\.Abs|In(Delta|Epsilon)\w*|WithinDuration\w*)\(")
_NEEDLES = {"Contains": EditKind.NEEDLE, "ErrorContains": EditKind.MATCH}
_LITERALS = {"int_literal", "float_literal", "interpreted_string_literal", "raw_string_literal", "true", "false"}
_EXPECTED = re.compile(r"(want|expect|exp$|exp[A-Z])", re.IGNORECASE)


def go_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the test functions of a source, and the test methods of its suites."""
    found = []
    root = parser(tree_sitter_go.language).parse(source).root_node
    for node in root.children:
        name, body = text_of(field(node, "name")), field(node, "body")
        method = node.type == "method_declaration"
        if (method or node.type == "function_declaration") and body is not None and re.match(r"Test(?![a-z])", name):
            before = r"[.:]Test\w*/" if method else r"(?:^|[.:])"
            literals = Literals(vocabulary, node)
            edits = (*_broken_values(root, body, literals, _receiver(node)), *_turned(body, _receiver(node)))
            found.append(
                TestFunction(path=path, name=name, reported=rf"{before}{re.escape(name)}(?:/.*)?$", edits=edits)
            )
    return found


def _receiver(node: Node) -> str:
    receiver = re.match(r"\((\w+)", text_of(field(node, "receiver")))
    return receiver[1] if receiver else ""


def _broken_values(root: Node, body: Node, literals: Literals, receiver: str) -> Iterator[Edit]:
    near = _NEAR.search(text_of(body)) is not None
    expected = [(leaf, kind) for value, kind in _expected(body, receiver, near=near) for leaf in _leaves(value)]
    calls = [node for node in walk(body) if node.type == "call_expression"]
    said = [node for call in calls for each in _assertion(call, receiver)[1][2:] for node in walk(each)]
    names = GoNames(root, body, [*(leaf for leaf, _ in expected), *said])
    done = set()
    for leaf, kind in expected:
        found = list(names.values(leaf))
        for value in (leaf, *found):
            for each in _leaves(value):
                if each.type in _LITERALS and each.start_byte not in done:
                    done.add(each.start_byte)
                    yield from literals.edits(each, kind, tolerant=near)
        copied = names.copied(leaf) if not found else None
        if copied is not None and "{" not in text_of(copied):  # not in the head of an `if`
            known = [edit for each in _leaves(copied) for edit in literals.edits(each, kind, tolerant=near)]
            yield from in_place_of(leaf, copied, known)


def _expected(body: Node, receiver: str, *, near: bool) -> Iterator[tuple[Node, EditKind]]:
    """Yield the expressions that results are compared with, on either side.

    Where a test has tolerances (`near`), the values of its tables count only if all that compares with them is known.
    """
    for node in walk(body):
        condition = field(node, "condition")
        if node.type == "if_statement" and condition is not None and _fails(node):
            yield from _compared(condition)
        elif node.type == "call_expression":
            yield from _compared_by_call(node, receiver)
        elif node.type == "keyed_element" and len(node.named_children) == 2 and not near:
            key, value = node.named_children
            if _EXPECTED.match(text_of(key)):
                yield value, EditKind.VALUE


def _compared(node: Node) -> Iterator[tuple[Node, EditKind]]:
    """Yield what a condition compares that is false when the test passes."""
    operator = text_of(field(node, "operator"))
    left, right, operand = field(node, "left"), field(node, "right"), field(node, "operand")
    if node.type == "parenthesized_expression":
        yield from _compared(node.named_children[0])
    elif operator == "||" and left is not None and right is not None:
        yield from _compared(left)
        yield from _compared(right)
    elif operator == "!=" and left is not None and right is not None:
        yield left, EditKind.VALUE
        yield right, EditKind.VALUE
    elif node.type == "unary_expression" and operator == "!" and operand is not None:
        function = text_of(field(operand, "function"))
        if re.fullmatch(r"(strings|bytes)\.(Contains|HasPrefix|HasSuffix)", function):
            yield from ((each, EditKind.NEEDLE) for each in arguments_of(operand)[1:])
        elif function.rpartition(".")[2] in ("DeepEqual", "Equal"):
            yield from ((each, EditKind.VALUE) for each in arguments_of(operand)[:2])


def _compared_by_call(node: Node, receiver: str) -> Iterator[tuple[Node, EditKind]]:
    verb, arguments = _assertion(node, receiver)
    plain = _plain(verb)
    if plain in _VALUES or (plain in _CLOSE and is_small(next(iter(arguments[2:3]), None))):
        yield from ((each, EditKind.VALUE) for each in arguments[:2])
    elif plain in _NEEDLES:
        yield from ((each, _NEEDLES[plain]) for each in arguments[1:2])
    elif text_of(field(node, "function")) == "cmp.Diff":
        yield from ((each, EditKind.VALUE) for each in arguments_of(node)[:2])


def _fails(node: Node) -> bool:
    """Tell whether the body of an `if` fails the test, by itself and not under a further condition."""
    body = field(node, "consequence")
    statements = [each for block in (body.named_children if body else ()) for each in (block, *block.named_children)]
    calls = [each.named_children[0] for each in statements if each.type == "expression_statement"]
    return any(text_of(field(call, "function")).rpartition(".")[2] in _FAILS for call in calls)


def _turned(body: Node, receiver: str) -> Iterator[Edit]:
    for node in walk(body):
        condition, function = field(node, "condition"), field(node, "function")
        if node.type == "if_statement" and condition is not None and _fails(node):
            yield from _turned_condition(condition)
        elif node.type == "call_expression" and function is not None:
            verb, _ = _assertion(node, receiver)
            name, plain = field(function, "field"), _plain(verb)
            if plain in _OPPOSITES and name is not None:
                yield replace(name, _OPPOSITES[plain] + verb[len(plain) :], EditKind.OPERATOR)


def _turned_condition(node: Node) -> Iterator[Edit]:
    """Edit a condition that is false when the test passes, so that it is true."""
    sign, operator = field(node, "operator"), text_of(field(node, "operator"))
    left, right, operand = field(node, "left"), field(node, "right"), field(node, "operand")
    if node.type == "parenthesized_expression":
        yield from _turned_condition(node.named_children[0])
    elif operator == "||" and left is not None and right is not None:
        yield from _turned_condition(left)
        yield from _turned_condition(right)
    elif operator in _SWAP and sign is not None:
        yield replace(sign, _SWAP[operator], EditKind.OPERATOR)
    elif node.type == "unary_expression" and operator == "!" and operand is not None:
        yield replace(node, text_of(operand), EditKind.NEGATE)
    else:
        yield replace(node, f"!({text_of(node)})", EditKind.NEGATE)


def _assertion(node: Node, receiver: str) -> tuple[str, list[Node]]:
    """Return the name of one of testify's assertions, and its arguments without the test; otherwise nothing."""
    function = field(node, "function")
    if function is None or function.type != "selector_expression":
        return "", []
    owner = text_of(field(function, "operand"))
    if owner.removesuffix(".Require()").removesuffix(".Assert()") not in ("assert", "require", receiver):
        return "", []
    arguments = arguments_of(node)
    if arguments and owner in ("assert", "require") and text_of(arguments[0]) in ("t", "tt", "b", "s.T()"):
        arguments = arguments[1:]
    return text_of(field(function, "field")), arguments


def _plain(verb: str) -> str:
    """Return an assertion's name without the `f` of those that take a format."""
    short = verb.removesuffix("f")
    return short if short in _OPPOSITES or short in _VALUES or short in _CLOSE else verb


def _leaves(node: Node) -> Iterator[Node]:
    """Yield the literals and variables that make up a value; nothing inside of calls."""
    if node.type in _LITERALS or node.type in ("identifier", "selector_expression"):
        yield node
    elif node.type == "keyed_element" and len(node.named_children) == 2:
        yield from _leaves(node.named_children[1])
    elif node.type == "composite_literal":
        yield from _leaves(node.named_children[-1])
    elif node.type in ("literal_value", "literal_element", "unary_expression"):
        for child in node.named_children:
            yield from _leaves(child)
