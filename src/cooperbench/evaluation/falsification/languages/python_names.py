"""Find where the names that a Python test compares results with get their values: in tables of cases, assignments and loops."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Key = str | int | None
"""Which part of a name's value: an attribute, an index, or `None` for the whole."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def place(node: ast.expr) -> tuple[str, Key] | None:
    """Return the name and key of `name`, `name.key` and `name["key"]`; `None` for other expressions."""
    if isinstance(node, ast.Name):
        return node.id, None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        key = node.slice.value
        return (node.value.id, key) if isinstance(key, (str, int)) else None
    return None


class Names:
    """The names of one module."""

    def __init__(self, module: ast.Module) -> None:
        self._loads = _loads([module])
        stored = Counter(name for node in module.body for name in _stored(node))
        self._constants = {name: value for node in module.body for name, value in _assigned(node) if stored[name] == 1}

    def values(self, function: Function, wanted: ast.expr, expected: Iterable[ast.expr]) -> Iterator[ast.expr]:
        """Yield the expressions that give `wanted` its value, one for each case of a table.

        Yields nothing where the name stands anywhere but among `expected`: it may be an input of the test, too.
        """
        found = place(wanted)
        if found is None or not _only_expected(function, *found, expected):
            return
        name, key = found
        for value in self._bound(function, name):
            part = value if key is None else _part(value, key)
            if part is not None:
                yield part

    def _bound(self, function: Function, name: str) -> list[ast.expr]:
        inside = [each for node in function.body for each in _stored(node, deep=True)].count(name)
        parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        if name in parameters:
            return [] if inside else list(self._parametrized(function, parameters, name))
        if inside > 1:
            return []
        if inside == 0:
            alone = name in self._constants and self._loads[name] == _loads([function])[name]
            return [self._constants[name]] if alone else []
        for node in (each for statement in function.body for each in ast.walk(statement)):
            if isinstance(node, ast.stmt) and (value := dict(_assigned(node)).get(name)) is not None:
                return [value]
            if isinstance(node, (ast.For, ast.AsyncFor)):
                names = [each.id if isinstance(each, ast.Name) else "" for each in _elements(node.target)]
                if name in names:
                    return list(self._column(function, node.iter, names.index(name), len(names)))
        return []

    def _parametrized(self, function: Function, parameters: list[str], name: str) -> Iterator[ast.expr]:
        """Yield the values of a parameter in `pytest.mark.parametrize` and `parameterized.expand`."""
        for call in function.decorator_list:
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr == "expand" and call.args:
                names, table = [each for each in parameters if each != "self"], call.args[0]
            elif call.func.attr == "parametrize" and not any(each.arg == "indirect" for each in call.keywords):
                given = {each.arg: each.value for each in call.keywords}
                both = [*call.args, *(given[key] for key in ("argnames", "argvalues") if key in given)]
                if len(both) < 2:
                    continue
                names, table = [each.strip() for each in _texts(both[0])], both[1]
            else:
                continue
            if name in names:
                yield from self._column(function, table, names.index(name), len(names))

    def _column(self, function: Function, table: ast.expr, position: int, width: int) -> Iterator[ast.expr]:
        """Yield the values at a position of all rows of a table."""
        for row in self._rows(function, table):
            cells = row.args if isinstance(row, ast.Call) and _called(row) == "param" else None
            if width == 1:
                yield from cells[:1] if cells else [row]
                continue
            cells = cells or _elements(row)
            if len(cells) == width:
                yield cells[position]

    def _rows(self, function: Function, table: ast.expr) -> list[ast.expr]:
        if isinstance(table, (ast.List, ast.Tuple, ast.Set)):
            return table.elts
        if isinstance(table, ast.Call) and _called(table) == "items" and isinstance(table.func, ast.Attribute):
            pairs = table.func.value
            if isinstance(pairs, ast.Dict):
                return [
                    ast.Tuple(elts=[key, value]) for key, value in zip(pairs.keys, pairs.values, strict=True) if key
                ]
        if isinstance(table, ast.Name):
            local = dict(each for node in function.body for each in _assigned(node))
            if table.id in local and _loads([function])[table.id] == 1:
                return self._rows(function, local[table.id])
            if table.id in self._constants and self._loads[table.id] == 1:
                return self._rows(function, self._constants[table.id])
        return []


def _only_expected(function: Function, name: str, key: Key, expected: Iterable[ast.expr]) -> bool:
    """Tell whether all uses of a name, or of this part of it, are among `expected`, or in the message of an assertion."""
    known = {id(each) for each in expected}
    bases = set()
    for node in _without_messages(function):
        found = place(node) if isinstance(node, ast.expr) else None
        if found is None or found[0] != name or id(node) in bases:
            continue
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            bases.add(id(node.value))  # walked later: whoever contains comes before what is contained
        other = key is not None and found[1] not in (None, key)
        if isinstance(getattr(node, "ctx", None), ast.Load) and not other and id(node) not in known:
            return False
    return True


def _without_messages(function: Function) -> Iterator[ast.AST]:
    messages = {
        id(each)
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) and node.msg
        for each in ast.walk(node.msg)
    }
    return (node for node in ast.walk(function) if id(node) not in messages)


def _part(value: ast.expr, key: Key) -> ast.expr | None:
    if isinstance(value, ast.Dict):
        pairs = zip(value.keys, value.values, strict=True)
        return next((each for name, each in pairs if isinstance(name, ast.Constant) and name.value == key), None)
    if isinstance(value, ast.Call):
        return next((each.value for each in value.keywords if each.arg == key), None)
    cells = _elements(value)
    return cells[key] if isinstance(key, int) and 0 <= key < len(cells) else None


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]


def _texts(node: ast.expr) -> list[str]:
    texts = [str(each.value) for each in _elements(node) if isinstance(each, ast.Constant)]
    return texts[0].split(",") if isinstance(node, ast.Constant) else texts


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        yield node.targets[0].id, node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value


def _stored(node: ast.AST, *, deep: bool = False) -> Iterator[str]:
    """Yield the names that a statement binds, those inside of functions only if `deep`."""
    left = [node]
    while left:
        each = left.pop()
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id
        elif isinstance(each, _DEFINITIONS):
            yield each.name
        if deep or not isinstance(each, _DEFINITIONS):
            left += ast.iter_child_nodes(each)


def _loads(nodes: Iterable[ast.AST]) -> Counter[str]:
    return Counter(
        each.id
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    )
