"""Break tests of jest and vitest, in JavaScript and TypeScript: the arguments of `expect`'s matchers, and the matchers themselves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.syntax import (
    Literals,
    arguments_of,
    field,
    parser,
    replace,
    text_of,
    used_once,
)
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

_GRAMMARS = {".ts": tree_sitter_typescript.language_typescript, ".mts": tree_sitter_typescript.language_typescript}
_GRAMMARS |= {".cts": tree_sitter_typescript.language_typescript, ".tsx": tree_sitter_typescript.language_tsx}
_TESTS, _BLOCKS = {"it", "test", "fit"}, {"describe", "suite", "fdescribe"}
_VALUES = {"toBe", "toEqual", "toStrictEqual", "toHaveLength", "toHaveBeenCalledTimes", "toHaveBeenCalledWith"}
_VALUES |= {"toHaveBeenLastCalledWith", "toHaveBeenNthCalledWith", "toMatchObject", "toHaveReturnedWith"}
_VALUES |= {"toMatchInlineSnapshot", "toHaveTextContent", "toHaveAttribute", "toHaveValue", "equal", "eql"}
_EQUAL = {"toBe", "toEqual", "toStrictEqual"}
_MADE = {"identifier", "member_expression", "subscript_expression", "call_expression"}
_NEEDLES = {
    "toContain": EditKind.NEEDLE,
    "toMatch": EditKind.NEEDLE,
    "toThrow": EditKind.MATCH,
    "toThrowError": EditKind.MATCH,
}
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
    grammar = _GRAMMARS.get(PurePosixPath(path).suffix, tree_sitter_javascript.language)
    return list(_tests(path, parser(grammar).parse(source).root_node, (), vocabulary))


def _tests(path: str, node: Node, titles: tuple[Node, ...], vocabulary: Vocabulary) -> Iterator[TestFunction]:
    for child in node.named_children:
        called = _called(child)
        arguments = arguments_of(child) if called else []
        if called in _TESTS and arguments and arguments[0].type in ("string", "template_string"):
            names = [text_of(title)[1:-1] for title in (*titles, arguments[0])]
            reported = rf"(?:^|/){re.escape(PurePosixPath(path).name)}:{' '.join(map(_pattern, names))}$"
            made = used_once(child, "variable_declarator", "name", "value")
            edits = tuple(_edits(child, Literals(vocabulary, child), made))
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


def _edits(node: Node, literals: Literals, made: Mapping[str, Node]) -> Iterator[Edit]:
    function = field(node, "function") if node.type == "call_expression" else None
    if function is not None and function.type == "member_expression" and _expects(function):
        yield from _assertion(node, function, literals, made)
    for child in node.children:
        yield from _edits(child, literals, made)


def _expects(node: Node) -> bool:
    """Tell whether a chain of members begins with `expect(...)`."""
    start: Node | None = node
    while start is not None and start.type == "member_expression":
        start = field(start, "object")
    return start is not None and start.type == "call_expression" and _called(start) == "expect"


def _assertion(node: Node, function: Node, literals: Literals, made: Mapping[str, Node]) -> Iterator[Edit]:
    name, owner = field(function, "property"), field(function, "object")
    assert name is not None
    assert owner is not None
    matcher = text_of(name)
    negated = re.search(r"\.not\b(?=[.\w]*$)", text_of(owner)) is not None
    if not negated:
        if matcher in _VALUES:
            yield from _expected(arguments_of(node), matcher, literals, made)
        elif matcher in _NEEDLES:
            for argument in arguments_of(node)[:1]:
                yield from _values(argument, literals, _NEEDLES[matcher])
    if matcher in _OPPOSITES:
        yield replace(name, _OPPOSITES[matcher], EditKind.OPERATOR)
    elif matcher.startswith("to") and "Snapshot" not in matcher:
        if not negated:
            yield Edit(start=owner.end_byte, end=owner.end_byte, text=".not", kind=EditKind.NEGATE, quiet=False)
        elif text_of(owner).endswith(".not"):
            yield Edit(start=owner.end_byte - 4, end=owner.end_byte, text="", kind=EditKind.NEGATE, quiet=False)


def _expected(arguments: Sequence[Node], matcher: str, literals: Literals, made: Mapping[str, Node]) -> Iterator[Edit]:
    """Yield edits of what is expected, also where it was declared for that. What the test makes otherwise is put into an array."""
    found = [
        edit
        for argument in arguments
        for edit in _values(made.get(text_of(argument), argument), literals, EditKind.VALUE)
    ]
    yield from found
    if not found and len(arguments) == 1 and matcher in _EQUAL and arguments[0].type in _MADE:
        yield replace(arguments[0], f"[{text_of(arguments[0])}]", EditKind.WRAPPED)


def _values(node: Node, literals: Literals, kind: EditKind) -> Iterator[Edit]:
    """Yield edits of the literals that make up an expected value; nothing inside of calls, and no keys."""
    if node.type in _LITERALS:
        yield from literals.edits(node, kind)
    elif node.type == "pair":
        value = field(node, "value")
        if value is not None:
            yield from _values(value, literals, kind)
    elif node.type in _INSIDE:
        for child in node.named_children:
            yield from _values(child, literals, kind)
    elif node.type == "call_expression" and text_of(field(node, "function")) in (
        "expect.objectContaining",
        "expect.arrayContaining",
    ):
        for argument in arguments_of(node):
            yield from _values(argument, literals, kind)
