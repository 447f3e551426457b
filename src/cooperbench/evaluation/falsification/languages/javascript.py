"""Break tests of jest and vitest, in JavaScript and TypeScript: the arguments of `expect`'s matchers, and the matchers themselves."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.javascript_names import values
from cooperbench.evaluation.falsification.languages.syntax import Literals, arguments_of, field, replace, walk
from cooperbench.evaluation.falsification.vocabulary import Vocabulary
from cooperbench.evaluation.grammars import javascript_parser, text_of

_TESTS, _BLOCKS = {"it", "test", "fit"}, {"describe", "suite", "fdescribe"}
_EQUAL = {"toBe", "toEqual", "toStrictEqual", "toHaveLength", "toHaveBeenCalledTimes", "toHaveBeenCalledWith"}
_EQUAL |= {"toHaveBeenLastCalledWith", "toHaveBeenNthCalledWith", "toMatchObject", "toHaveReturnedWith"}
_EQUAL |= {"toMatchInlineSnapshot", "toHaveTextContent", "toHaveAttribute", "toHaveValue", "equal", "eql"}
_VALUES = {
    **dict.fromkeys(_EQUAL, EditKind.VALUE),
    "toBeCloseTo": EditKind.VALUE,
    "toContain": EditKind.NEEDLE,
    "toMatch": EditKind.NEEDLE,
    "toThrow": EditKind.MATCH,
    "toThrowError": EditKind.MATCH,
}
_WHOLE = {"toBe", "toEqual", "toStrictEqual"}
"""What takes an expected value of any type."""
_PAIRS = (
    ("toBeTruthy", "toBeFalsy"),
    ("toBeDefined", "toBeUndefined"),
    ("toBeGreaterThan", "toBeLessThanOrEqual"),
    ("toBeLessThan", "toBeGreaterThanOrEqual"),
)
_OPPOSITES = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}
_LITERALS = {"number", "string", "template_string", "true", "false"}
_INSIDE = {"array", "object", "unary_expression", "parenthesized_expression", "as_expression", "arguments"}


def javascript_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the tests of a source, those inside of `describe` by all titles around them."""
    return list(_tests(path, javascript_parser(path).parse(source).root_node, (), vocabulary))


def _tests(path: str, node: Node, titles: tuple[Node, ...], vocabulary: Vocabulary) -> Iterator[TestFunction]:
    for child in node.named_children:
        called = _called(child)
        arguments = arguments_of(child) if called else []
        if called in _TESTS and arguments and arguments[0].type in ("string", "template_string"):
            names = [text_of(title)[1:-1] for title in (*titles, arguments[0])]
            reported = rf"(?:^|/){re.escape(PurePosixPath(path).name)}:{' '.join(map(_pattern, names))}$"
            edits = (*_broken_values(child, Literals(vocabulary, child)), *_turned(child))
            yield TestFunction(path=path, name=" ".join(names), reported=reported, edits=edits)
        elif called in _BLOCKS and arguments:
            yield from _tests(path, child, (*titles, arguments[0]), vocabulary)
        else:
            yield from _tests(path, child, titles, vocabulary)


def _called(node: Node) -> str:
    """Return the name that a call begins with: `it` of `it.each(table)(title, body)`."""
    if node.type != "call_expression":
        return ""
    function = field(node, "function")
    while function is not None and function.type in ("call_expression", "member_expression"):
        function = field(function, "function") or field(function, "object")
    return text_of(function) if function is not None and function.type == "identifier" else ""


def _pattern(title: str) -> str:
    """Match the titles that a template makes: `%s`, `$name` and `${code}` stand for anything."""
    parts = re.split(r"%[a-zA-Z#$]|\$\{[^}]*\}|\$[A-Za-z_][\w.]*", re.sub(r"\\(.)", r"\1", title))
    return ".*".join(map(re.escape, parts))


def _assertions(node: Node) -> Iterator[tuple[Node, Node]]:
    """Yield the calls of matchers, and what they are called on."""
    for each in walk(node):
        function = field(each, "function") if each.type == "call_expression" else None
        if function is not None and function.type == "member_expression" and _expects(function):
            yield each, function


def _broken_values(test: Node, literals: Literals) -> Iterator[Edit]:
    expected = [
        (value, _VALUES.get(matcher), list(_leaves(value)), matcher)
        for call, function in _assertions(test)
        if not _negated(function) and (matcher := text_of(field(function, "property"))) in _VALUES
        for value in _compared(matcher, arguments_of(call))
    ]
    leaves = [leaf for _, _, found, _ in expected for leaf in found]
    done: set[int] = set()
    for value, kind, found, matcher in expected:
        known = [each for leaf in found for given in (leaf, *values(leaf, leaves)) for each in _leaves(given)]
        literal = [each for each in known if each.type in _LITERALS]
        for each in literal:
            if each.start_byte not in done:
                done.add(each.start_byte)
                yield from literals.edits(each, kind or EditKind.VALUE, tolerant=matcher == "toBeCloseTo")
        if not literal and matcher in _WHOLE and value.type != "spread_element":
            yield replace(value, f"[{text_of(value)}]", EditKind.WRAPPED)


def _compared(matcher: str, arguments: Sequence[Node]) -> Sequence[Node]:
    """Return the arguments that a result is compared with: none within a wide tolerance, where other right work may meet another value."""
    if matcher == "toBeCloseTo":
        digits = text_of(arguments[1]) if len(arguments) > 1 else "2"
        return arguments[:1] if digits.isdigit() and int(digits) > 0 else []
    return arguments if _VALUES[matcher] is EditKind.VALUE else arguments[:1]


def _negated(function: Node) -> bool:
    return re.search(r"\.not\b(?=[.\w]*$)", text_of(field(function, "object"))) is not None


def _expects(node: Node) -> bool:
    """Tell whether a chain of members begins with `expect(...)`."""
    start: Node | None = node
    while start is not None and start.type == "member_expression":
        start = field(start, "object")
    return start is not None and start.type == "call_expression" and _called(start) == "expect"


def _turned(test: Node) -> Iterator[Edit]:
    for _, function in _assertions(test):
        name, owner = field(function, "property"), field(function, "object")
        assert name is not None
        assert owner is not None
        matcher = text_of(name)
        if matcher in _OPPOSITES:
            yield replace(name, _OPPOSITES[matcher], EditKind.OPERATOR)
        elif matcher.startswith("to") and "Snapshot" not in matcher:
            if not _negated(function):
                yield Edit(start=owner.end_byte, end=owner.end_byte, text=".not", kind=EditKind.NEGATE, quiet=False)
            elif text_of(owner).endswith(".not"):
                yield Edit(start=owner.end_byte - 4, end=owner.end_byte, text="", kind=EditKind.NEGATE, quiet=False)


def _leaves(node: Node) -> Iterator[Node]:
    """Yield the literals and names that make up an expected value; nothing inside of calls, and no keys."""
    if node.type in _LITERALS or node.type in ("identifier", "member_expression"):
        yield node
    elif node.type == "pair":
        value = field(node, "value")
        if value is not None:
            yield from _leaves(value)
    elif node.type in _INSIDE:
        for child in node.named_children:
            yield from _leaves(child)
    elif node.type == "call_expression" and text_of(field(node, "function")) in (
        "expect.objectContaining",
        "expect.arrayContaining",
    ):
        for argument in arguments_of(node):
            yield from _leaves(argument)
