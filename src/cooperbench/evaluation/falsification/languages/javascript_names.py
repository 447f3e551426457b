"""Find where the names that a JavaScript test compares results with get their values: in `each`, loops and declarations."""

import re
from collections.abc import Iterable, Iterator

from tree_sitter import Node

from cooperbench.evaluation.falsification.languages.syntax import arguments_of, field, walk
from cooperbench.evaluation.grammars import text_of

_FUNCTIONS = {"arrow_function", "function_expression"}
_BLOCKS = {"statement_block", "program"}
_NAMES = {"identifier", "shorthand_property_identifier"}
_PATTERNS = {"shorthand_property_identifier_pattern"}
_WRAPPED = {"as_expression", "satisfies_expression", "parenthesized_expression"}


def values(wanted: Node, expected: Iterable[Node]) -> Iterator[Node]:
    """Yield what gives `name` or `row.key` its value, once for each row of a table.

    Yields nothing where it stands anywhere but among `expected` and in titles: it may be an input of the test, too.
    """
    key = None
    name = wanted
    if wanted.type == "member_expression":
        name, key = field(wanted, "object") or wanted, text_of(field(wanted, "property"))
    if name.type != "identifier":
        return
    scope, found = _bound(name, text_of(name))
    if scope is None or not _only_expected(scope, text_of(name), key, {each.start_byte for each in expected}):
        return
    for value in found:
        cell = value if key is None else _property(value, key)
        if cell is not None:
            yield cell


def _bound(place: Node, name: str) -> tuple[Node | None, list[Node]]:
    """Find the innermost binding of a name: the part of the source where it holds, and its values."""
    scope: Node | None = place.parent
    while scope is not None:
        if scope.type in _FUNCTIONS:
            patterns = _parameters(scope)
            for position, each in enumerate(patterns):
                if _binds(each, name):
                    return scope, list(_given(scope, position, len(patterns), each, name))
        elif scope.type == "for_in_statement" and (pattern := field(scope, "left")) and _binds(pattern, name):
            return scope, [cell for row in _rows(field(scope, "right")) if (cell := _cell(pattern, name, row))]
        elif scope.type in _BLOCKS:
            declared = [each for each in _declarators(scope) if _binds(field(each, "name"), name)]
            if declared:
                value, left = field(declared[0], "value"), field(declared[0], "name")
                plain = len(declared) == 1 and left is not None and left.type == "identifier"
                return scope, [value] if plain and value is not None else []
        scope = scope.parent
    return None, []


def _parameters(function: Node) -> list[Node]:
    single = field(function, "parameter")
    if single is not None:
        return [single]
    listed = field(function, "parameters")
    return [field(each, "pattern") or each for each in listed.named_children] if listed is not None else []


def _given(function: Node, position: int, width: int, pattern: Node, name: str) -> Iterator[Node]:
    """Yield what a callback's parameter holds: a column of the table of `each`, or the elements of `forEach`."""
    call = function.parent.parent if function.parent is not None else None
    callee = field(call, "function") if call is not None else None
    if callee is None:
        return
    if callee.type == "member_expression" and text_of(field(callee, "property")) == "forEach" and position == 0:
        rows = list(_rows(field(callee, "object")))
    elif callee.type == "call_expression" and text_of(field(callee, "function")).endswith(".each"):
        table = field(callee, "arguments")
        if table is not None and table.type == "template_string":
            yield from _template_column(table, name)
            return
        rows = [
            row.named_children[position] if row.type == "array" and position < len(row.named_children) else row
            for row in _rows(next(iter(arguments_of(callee)), None))
            if width == 1 or row.type == "array"
        ]
    else:
        return
    yield from (cell for row in rows if (cell := _cell(pattern, name, row)))


def _template_column(table: Node, name: str) -> Iterator[Node]:
    """Yield a column of the table that a template text holds, with the names in its first line."""
    head = text_of(table).lstrip("`").lstrip().partition("\n")[0]
    names = [each.strip() for each in head.split("|")]
    holes = [each for each in table.named_children if each.type == "template_substitution"]
    cells = [each.named_children[0] for each in holes if each.named_children]
    if name in names:
        yield from cells[names.index(name) :: len(names)]


def _rows(table: Node | None) -> list[Node]:
    while table is not None and table.type in _WRAPPED and table.named_children:
        table = table.named_children[0]
    if table is not None and table.type == "identifier":
        name = text_of(table)
        scope, found = _bound(table, name)
        alone = scope is not None and sum(text_of(each) == name for each in walk(scope) if each.type in _NAMES) == 2
        return _rows(found[0]) if alone and found else []
    return list(table.named_children) if table is not None and table.type == "array" else []


def _cell(pattern: Node, name: str, row: Node) -> Node | None:
    if pattern.type == "identifier":
        return row
    if pattern.type == "array_pattern" and row.type == "array":
        cells = dict(zip(map(text_of, pattern.named_children), row.named_children, strict=False))
        return cells.get(name)
    for each in pattern.named_children:
        if each.type == "pair_pattern" and text_of(field(each, "value")) == name:
            return _property(row, text_of(field(each, "key")))
    return _property(row, name)


def _property(value: Node, key: str) -> Node | None:
    pairs = value.named_children if value.type == "object" else []
    return next(
        (field(each, "value") for each in pairs if each.type == "pair" and text_of(field(each, "key")) == key), None
    )


def _binds(pattern: Node | None, name: str) -> bool:
    return pattern is not None and any(text_of(each) == name for each in walk(pattern) if _is_name(each))


def _is_name(node: Node) -> bool:
    return node.type in ("identifier", *_PATTERNS)


def _declarators(block: Node) -> Iterator[Node]:
    for statement in block.named_children:
        if statement.type in ("lexical_declaration", "variable_declaration"):
            yield from (each for each in statement.named_children if each.type == "variable_declarator")


def _only_expected(scope: Node, name: str, key: str | None, expected: set[int]) -> bool:
    if scope.type == "program" and len(re.findall(rf"\b{re.escape(name)}\b", text_of(scope))) > len(expected) + 1:
        return False  # seen at once, in large files
    skipped = set(expected) if key is None else set()
    others = 0
    for node in walk(scope):
        if node.type in ("template_string", "string") and _is_title(node):
            skipped |= {each.start_byte for each in walk(node)}
        elif node.type == "member_expression" and text_of(field(node, "object")) == name and key is not None:
            if text_of(field(node, "property")) != key or node.start_byte in expected:
                skipped.add(node.start_byte)
        elif node.type in (*_NAMES, *_PATTERNS) and text_of(node) == name:
            others += node.start_byte not in skipped
    return others <= 1  # the binding


def _is_title(node: Node) -> bool:
    arguments = node.parent
    return arguments is not None and arguments.type == "arguments" and arguments.named_children[:1] == [node]
