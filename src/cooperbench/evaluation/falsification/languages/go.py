"""Break Go tests: conditions whose body fails the test, expected values in tables of cases, and testify's assertions."""

import re
from collections.abc import Iterator

import tree_sitter_go
from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.syntax import (
    Literals,
    arguments_of,
    field,
    parser,
    replace,
    text_of,
    walk,
)
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

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
_VALUES = {"Equal", "EqualValues", "Exactly", "Len", "EqualError", "JSONEq", "ElementsMatch", "InDelta"}
_NEEDLES = {"Contains": EditKind.NEEDLE, "ErrorContains": EditKind.MATCH}
_LITERALS = {"int_literal", "float_literal", "interpreted_string_literal", "raw_string_literal", "true", "false"}
_EXPECTED = re.compile(r"(want|expect|exp$|exp[A-Z])", re.IGNORECASE)


def go_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the test functions of a source, and the test methods of its suites."""
    found = []
    for node in parser(tree_sitter_go.language).parse(source).root_node.children:
        name, body = text_of(field(node, "name")), field(node, "body")
        method = node.type == "method_declaration"
        if (method or node.type == "function_declaration") and body is not None and re.match(r"Test(?![a-z])", name):
            before = r"[.:]Test\w*/" if method else r"(?:^|[.:])"
            literals = Literals(vocabulary, node)
            edits = tuple(_edits(body, literals, _receiver(node)))
            found.append(
                TestFunction(path=path, name=name, reported=rf"{before}{re.escape(name)}(?:/.*)?$", edits=edits)
            )
    return found


def _receiver(node: Node) -> str:
    receiver = re.match(r"\((\w+)", text_of(field(node, "receiver")))
    return receiver[1] if receiver else ""


def _edits(body: Node, literals: Literals, receiver: str) -> Iterator[Edit]:
    for node in walk(body):
        condition = field(node, "condition")
        if node.type == "if_statement" and condition is not None and _fails(node):
            yield from _condition(condition, literals)
        elif node.type == "call_expression":
            yield from _assertion(node, literals, receiver)
        elif node.type == "keyed_element" and len(node.named_children) == 2:
            key, value = node.named_children
            if _EXPECTED.match(text_of(key)):
                yield from _values(value, literals, EditKind.VALUE)


def _fails(node: Node) -> bool:
    """Tell whether the body of an `if` fails the test, by itself and not under a further condition."""
    body = field(node, "consequence")
    statements = [each for block in (body.named_children if body else ()) for each in (block, *block.named_children)]
    calls = [each.named_children[0] for each in statements if each.type == "expression_statement"]
    return any(text_of(field(call, "function")).rpartition(".")[2] in _FAILS for call in calls)


def _condition(node: Node, literals: Literals) -> Iterator[Edit]:
    """Edit a condition that is false when the test passes, so that it is true."""
    operator = text_of(field(node, "operator"))
    left, right, operand = field(node, "left"), field(node, "right"), field(node, "operand")
    if node.type == "parenthesized_expression":
        yield from _condition(node.named_children[0], literals)
    elif operator == "||" and left is not None and right is not None:
        yield from _condition(left, literals)
        yield from _condition(right, literals)
    elif operator in _SWAP and left is not None and right is not None:
        if operator == "!=":
            for side in (left, right):
                yield from _values(side, literals, EditKind.VALUE)
        sign = field(node, "operator")
        assert sign is not None
        yield replace(sign, _SWAP[operator], EditKind.OPERATOR)
    elif node.type == "unary_expression" and operator == "!" and operand is not None:
        needle = re.fullmatch(r"(strings|bytes)\.(Contains|HasPrefix|HasSuffix)", text_of(field(operand, "function")))
        if needle:
            for argument in arguments_of(operand)[1:]:
                yield from _values(argument, literals, EditKind.NEEDLE)
        yield replace(node, text_of(operand), EditKind.NEGATE)
    else:
        yield replace(node, f"!({text_of(node)})", EditKind.NEGATE)


def _assertion(node: Node, literals: Literals, receiver: str) -> Iterator[Edit]:
    function = field(node, "function")
    if function is None or function.type != "selector_expression":
        return
    owner, name = text_of(field(function, "operand")), field(function, "field")
    if name is None or owner.removesuffix(".Require()").removesuffix(".Assert()") not in (
        "assert",
        "require",
        receiver,
    ):
        return
    arguments = arguments_of(node)
    if arguments and owner in ("assert", "require") and text_of(arguments[0]) in ("t", "tt", "b", "s.T()"):
        arguments = arguments[1:]
    verb = text_of(name)
    plain = verb.removesuffix("f") if verb.removesuffix("f") in _OPPOSITES or verb[:-1] in _VALUES else verb
    if plain in _VALUES:
        for argument in arguments[:2]:
            yield from _values(argument, literals, EditKind.VALUE)
    elif plain in _NEEDLES:
        for argument in arguments[1:2]:
            yield from _values(argument, literals, _NEEDLES[plain])
    if plain in _OPPOSITES:
        yield replace(name, _OPPOSITES[plain] + verb[len(plain) :], EditKind.OPERATOR)


def _values(node: Node, literals: Literals, kind: EditKind) -> Iterator[Edit]:
    """Yield edits of the literals that make up an expected value; nothing inside of calls."""
    if node.type in _LITERALS:
        yield from literals.edits(node, kind)
    elif node.type == "keyed_element" and len(node.named_children) == 2:
        yield from _values(node.named_children[1], literals, kind)
    elif node.type in ("composite_literal", "literal_value", "literal_element", "unary_expression"):
        for child in node.named_children:
            yield from _values(child, literals, kind)
