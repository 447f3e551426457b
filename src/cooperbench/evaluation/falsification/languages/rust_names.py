"""Find where the variables that a Rust test compares results with get their values: in `let`, tables of cases and attributes."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tree_sitter import Node

from cooperbench.evaluation.falsification.languages.syntax import field, walk
from cooperbench.evaluation.grammars import text_of

MAKES_VALUES = {"Some", "Ok", "Err", "None", "vec", "String", "from", "to_string", "to_owned", "into", "Box", "new"}
"""Names inside of an expected value that change nothing about it."""
_PASSES_ON = {"iter", "into_iter"}


class Variable(NamedTuple):
    """A name, or a field of it, where a result is compared with it."""

    name: str
    key: str
    """Empty for the name itself."""
    start: int


class RustNames:
    """The variables of one test function, below `attributes`."""

    def __init__(self, root: Node, function: Node, attributes: Sequence[Node]) -> None:
        self._root, self._function, self._attributes = root, function, attributes
        body = field(function, "body")
        self._nodes = list(walk(body)) if body is not None else []
        self._tokens = [node for node in self._nodes if node.child_count == 0]

    def values(self, wanted: Variable, expected: set[int]) -> Iterator[Sequence[Node]]:
        """Yield the tokens that give a variable its value, once for each row of a table.

        Yields nothing where it stands anywhere but at the places `expected`: it may be an input of the test, too.
        """
        if self._only_expected(wanted, expected):
            for value in self._bound(wanted.name):
                cell = _part(value, wanted.key) if wanted.key else value
                if cell:
                    yield cell

    def copied(self, wanted: Variable) -> tuple[Node, Node] | None:
        """Return a name and its value, if that is declared once, and not in a table."""
        found = [each for each in self._nodes if each.type in _BINDINGS and wanted.name in _names(each)]
        place = next((each for each in self._tokens if each.start_byte == wanted.start), None)
        value = field(found[0], "value") if len(found) == 1 and found[0].type == "let_declaration" else None
        return (place, value) if place is not None and value is not None and not wanted.key else None

    def _only_expected(self, wanted: Variable, expected: set[int]) -> bool:
        for at, token in enumerate(self._tokens):
            if token.type != "identifier" or text_of(token) != wanted.name or _is_pattern(token):
                continue
            after = [text_of(each) for each in self._tokens[at + 1 : at + 3]]
            other = bool(wanted.key) and after[:1] == ["."] and after[1:] != [wanted.key]
            if not other and token.start_byte not in expected:
                return False
        return True

    def _bound(self, name: str) -> Iterator[Sequence[Node]]:
        found = [each for each in self._nodes if each.type in _BINDINGS and name in _names(each)]
        if len(found) == 1:
            pattern, value = field(found[0], "pattern") or field(found[0], "name"), field(found[0], "value")
            if pattern is None or value is None:
                return
            if found[0].type == "for_expression":
                names = _names(found[0])
                for row in self._rows(value):
                    cells = [row] if pattern.type == "identifier" else _cells(row)
                    if len(cells) == len(names):
                        yield cells[names.index(name)]
            elif pattern.type == "identifier":
                yield [value]
        elif not found:
            yield from self._given(name)
            constants = [
                each
                for each in self._root.named_children
                if each.type in ("const_item", "static_item") and text_of(field(each, "name")) == name
            ]
            value = field(constants[0], "value") if constants else None
            if value is not None and len(re.findall(rf"\b{re.escape(name)}\b", text_of(self._root))) == 2:
                yield [value]

    def _rows(self, table: Node) -> Iterator[Sequence[Node]]:
        called = field(table, "function")
        if table.type == "reference_expression":
            yield from self._rows(table.named_children[-1])
        elif called is not None and text_of(field(called, "field")) in _PASSES_ON and (owner := field(called, "value")):
            yield from self._rows(owner)
        elif table.type == "array_expression":
            yield from ([each] for each in table.named_children)
        elif table.type == "macro_invocation" and text_of(field(table, "macro")) == "vec":
            yield from split(table.children[-1])
        elif table.type == "identifier":
            uses = [each for each in self._tokens if each.type == "identifier" and text_of(each) == text_of(table)]
            for value in self._bound(text_of(table)) if len(uses) <= 2 else ():
                yield from self._rows(value[0])

    def _given(self, name: str) -> Iterator[Sequence[Node]]:
        """Yield a parameter's values in `#[case(...)]` and `#[test_case(...)]`."""
        listed = field(self._function, "parameters")
        parameters, case = [], False
        for each in listed.named_children if listed is not None else ():
            if each.type == "parameter":
                parameters.append((text_of(field(each, "pattern")), case))
            case = each.type == "attribute_item" and re.match(r"#\[\s*case", text_of(each)) is not None
        plain = [each for each, _ in parameters]
        cases = [each for each, marked in parameters if marked]
        for attribute in self._attributes:
            kind, tokens = attribute_of(attribute)
            names = {"case": cases, "test_case": plain}.get(kind.partition("::")[0], [])
            cells = split(tokens) if tokens is not None else []
            if name in names and len(cells) >= len(names):
                cell = cells[names.index(name)]
                stop = next((at for at, each in enumerate(cell) if text_of(each) in (";", "=>")), len(cell))
                yield cell[:stop]


_BINDINGS = {"let_declaration", "for_expression", "const_item", "static_item"}


def attribute_of(item: Node) -> tuple[str, Node | None]:
    """Return the name and the arguments of an attribute."""
    inner = next((each for each in item.named_children if each.type == "attribute"), None)
    if inner is None:
        return "", None
    return re.split(r"[(\[=]", text_of(inner), maxsplit=1)[0].strip(), field(inner, "arguments")


def split(tokens: Node) -> list[list[Node]]:
    """Split the tokens between brackets at their commas."""
    found: list[list[Node]] = [[]]
    for token in tokens.children[1:-1]:
        if token.type == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found if found[-1] else found[:-1]


def variable_of(tokens: Sequence[Node]) -> Variable | None:
    """Return the only variable in an argument that is made of nothing else: `&want`, `Some(want)`, `case.1`."""
    leaves = [each for token in tokens for each in walk(token) if each.child_count == 0]
    places = [at for at, each in enumerate(leaves) if each.type == "identifier" and text_of(each) not in MAKES_VALUES]
    if not places:
        return None
    first, *rest = places
    after = [text_of(each) for each in leaves[first + 1 : first + 3]]
    key = after[1] if after[:1] == ["."] and len(after) == 2 and after[1] not in MAKES_VALUES else ""
    if [each for each in rest if not (key and each == first + 2)] or "(" in after[:1] or "!" in after[:1]:
        return None
    called = leaves[first + 3 : first + 4] if key else []
    if called and text_of(called[0]) in ("(", "."):
        return None
    return Variable(text_of(leaves[first]), key, leaves[first].start_byte)


def _names(binding: Node) -> list[str]:
    pattern = field(binding, "pattern") or field(binding, "name")
    while pattern is not None and pattern.type == "reference_pattern":
        pattern = pattern.named_children[-1]
    if pattern is None:
        return []
    return [
        text_of(each).lstrip("&") for each in (pattern.named_children if pattern.type == "tuple_pattern" else [pattern])
    ]


def _is_pattern(token: Node) -> bool:
    inside = token
    while inside.parent is not None and inside.parent.type in ("tuple_pattern", "reference_pattern"):
        inside = inside.parent
    binding = inside.parent
    return (
        binding is not None
        and binding.type in _BINDINGS
        and inside in (field(binding, "pattern"), field(binding, "name"))
    )


def _cells(row: Sequence[Node]) -> list[Sequence[Node]]:
    if len(row) == 1 and row[0].type == "tuple_expression":
        return [[each] for each in row[0].named_children]
    return list(split(row[0])) if len(row) == 1 and row[0].type == "token_tree" else []


def _part(row: Sequence[Node], key: str) -> Sequence[Node]:
    if key.isdigit():
        cells = _cells(row)
        return cells[int(key)] if int(key) < len(cells) else []
    for each in (node for token in row for node in walk(token) if node.type == "field_initializer"):
        value = field(each, "value")
        if value is not None and text_of(field(each, "field") or field(each, "name")) == key:
            return [value]
    return []
