"""Find where the variables that a Go test compares results with get their values: in declarations and tables of cases."""

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from cooperbench.evaluation.falsification.languages.syntax import field, walk
from cooperbench.evaluation.grammars import text_of

_MESSAGES = {"Fatal", "Fatalf", "Error", "Errorf", "Log", "Logf", "Skip", "Skipf"}
_DECLARED = {"short_var_declaration": "left", "var_spec": "name", "const_spec": "name", "range_clause": "left"}


class GoNames:
    """The variables of one function."""

    def __init__(self, root: Node, body: Node, expected: Sequence[Node]) -> None:
        self._root, self._nodes = root, list(walk(body))
        self._expected = {node.start_byte for node in expected}
        for call in self._nodes:
            if text_of(field(call, "function")).rpartition(".")[2] in _MESSAGES:
                self._expected |= {each.start_byte for each in walk(call) if each.type != "call_expression"}

    def values(self, wanted: Node) -> Iterator[Node]:
        """Yield what gives `name` or `row.field` its value, once for each row of a table.

        Yields nothing where it stands anywhere but among what is expected and in messages: it may be an input of the test, too.
        """
        if wanted.type == "identifier" and self._only_expected(text_of(wanted)):
            yield from self._bound(text_of(wanted))
        elif wanted.type == "selector_expression":
            row, name = text_of(field(wanted, "operand")), text_of(field(wanted, "field"))
            if self._only_field(row, name):
                yield from self._column(row, name)

    def copied(self, wanted: Node) -> Node | None:
        """Return the value of a name that is declared once, and not in a table."""
        declared = self._declarations(text_of(wanted)) if wanted.type == "identifier" else []
        return next(_initial(declared, text_of(wanted)), None) if declared else None

    def _only_expected(self, name: str) -> bool:
        declared = {each.start_byte for each in self._declarations(name)}
        return all(
            node.start_byte in self._expected | declared or _is_key(node)
            for node in self._nodes
            if node.type == "identifier" and text_of(node) == name
        )

    def _only_field(self, row: str, name: str) -> bool:
        known = {each.start_byte for each in self._declarations(row)}
        for node in self._nodes:
            if node.type == "selector_expression":
                operand = field(node, "operand")
                if operand is not None and text_of(operand) == row:
                    known.add(operand.start_byte)
                if text_of(field(node, "field")) == name and node.start_byte not in self._expected:
                    return False
            elif node.type == "short_var_declaration" and text_of(node) == f"{row} := {row}":
                known |= {each.start_byte for each in walk(node)}
        return all(n.start_byte in known for n in self._nodes if n.type == "identifier" and text_of(n) == row)

    def _declarations(self, name: str) -> list[Node]:
        return list(_declarations(self._nodes, name))

    def _bound(self, name: str) -> Iterator[Node]:
        declared = self._declarations(name)
        if not declared:
            yield from _initial(_declarations(_top_level(self._root), name), name, self._root)
        elif len(declared) == 1:
            place = _parent(declared[0], _DECLARED)
            if place is not None and place.type == "range_clause":
                names = [text_of(each) for each in _listed(field(place, "left"))]
                if names[1:] == [name]:
                    yield from (value for value, _ in self._rows(field(place, "right")))
            else:
                yield from _initial(declared, name)

    def _column(self, row: str, name: str) -> Iterator[Node]:
        for clause in self._nodes:
            if clause.type == "range_clause" and text_of((_listed(field(clause, "left")) or [clause])[-1]) == row:
                for value, fields in self._rows(field(clause, "right")):
                    cell = _cell(value, name, fields)
                    if cell is not None:
                        yield cell

    def _rows(self, table: Node | None) -> Iterator[tuple[Node, list[str]]]:
        """Yield the elements of a slice, array or map, each with the names of its type's fields."""
        if table is not None and table.type == "identifier":
            table = next(self._bound(text_of(table)), None) if self._uses(text_of(table)) == 1 else None
        kind, body = (field(table, "type"), field(table, "body")) if table is not None else (None, None)
        if table is None or table.type != "composite_literal" or kind is None or body is None:
            return
        fields = self._fields(field(kind, "element") or field(kind, "value"))
        for element in body.named_children:
            value = element.named_children[-1] if element.type == "keyed_element" else element
            if value.type == "literal_element":
                yield value.named_children[0], fields

    def _uses(self, name: str) -> int:
        declared = {each.start_byte for each in self._declarations(name)}
        found = [node for node in self._nodes if node.type == "identifier" and text_of(node) == name]
        return sum(node.start_byte not in declared for node in found)

    def _fields(self, kind: Node | None) -> list[str]:
        if kind is not None and kind.type == "pointer_type":
            kind = kind.named_children[0]
        if kind is not None and kind.type == "type_identifier":
            specs = (each for each in walk(self._root) if each.type == "type_spec")
            kind = next((field(each, "type") for each in specs if text_of(field(each, "name")) == text_of(kind)), None)
        if kind is None or kind.type != "struct_type":
            return []
        declared = (each for each in walk(kind) if each.type == "field_declaration")
        return [text_of(name) for each in declared for name in each.children_by_field_name("name")]


def _cell(row: Node, name: str, fields: Sequence[str]) -> Node | None:
    while row.type in ("composite_literal", "unary_expression"):
        row = row.named_children[-1]
    if row.type != "literal_value":
        return None
    cells = row.named_children
    for cell in cells:
        if cell.type == "keyed_element" and text_of(cell.named_children[0]) == name:
            return cell.named_children[1]
    positional = name in fields and len(cells) == len(fields) and all(each.type == "literal_element" for each in cells)
    return cells[fields.index(name)] if positional else None


def _declarations(nodes: Iterator[Node] | Sequence[Node], name: str) -> Iterator[Node]:
    """Yield the identifiers that declare a name; `x := x` only copies."""
    for node in nodes:
        if node.type in _DECLARED and text_of(node) != f"{name} := {name}":
            for listed in node.children_by_field_name(_DECLARED[node.type]):
                yield from (each for each in _listed(listed) if each.type == "identifier" and text_of(each) == name)


def _initial(declared: Iterator[Node] | Sequence[Node], name: str, root: Node | None = None) -> Iterator[Node]:
    """Yield the value that a declaration gives; one of the whole file only if the name is used once."""
    found = list(declared)
    place = _parent(found[0], _DECLARED) if len(found) == 1 else None
    if place is None or place.type == "range_clause":
        return
    if root is not None and len(re.findall(rf"\b{re.escape(name)}\b", text_of(root))) != 2:
        return
    names = [
        text_of(each) for listed in place.children_by_field_name(_DECLARED[place.type]) for each in _listed(listed)
    ]
    values = _listed(field(place, "right") or field(place, "value"))
    if len(values) == len(names):
        yield values[names.index(name)]


def _top_level(root: Node) -> Iterator[Node]:
    for node in root.named_children:
        if node.type in ("var_declaration", "const_declaration"):
            yield from (spec for each in node.named_children for spec in (each, *each.named_children))


def _listed(node: Node | None) -> list[Node]:
    if node is None:
        return []
    return list(node.named_children) if node.type == "expression_list" else [node]


def _parent(node: Node, kinds: dict[str, str]) -> Node | None:
    found = node.parent
    while found is not None and found.type not in kinds:
        found = found.parent
    return found


def _is_key(node: Node) -> bool:
    """Tell whether an identifier is the name of a field in a literal."""
    element = node.parent
    return (
        element is not None
        and element.type == "literal_element"
        and element.parent is not None
        and element.parent.type == "keyed_element"
        and element.parent.named_children[0] == element
    )
