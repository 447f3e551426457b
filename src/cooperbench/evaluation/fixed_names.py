"""Find names of tests that their source fixes: work that is correct has them, whatever it does.

In jest and vitest these are literal titles. In Python a function has one name, a case the id that its literal has in `parametrize`. Whatever else has a part in names (parametrised fixtures,
`pytest_generate_tests`, plugins) shows in the gold patch's run: then no name of that function is fixed.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from cooperbench.evaluation.fixed_titles import fixed_titles
from cooperbench.evaluation.stable_names import FixedNames, function_of

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PARAMETRIZE = ("pytest.mark.parametrize", "mark.parametrize")
_SIMPLE = (str, bytes, int, float, complex, type(None))
"""Values that pytest writes into a name; others get the name of their argument and a number."""


class _Cases(NamedTuple):
    """What the source says of a function's cases."""

    number: int
    suffixes: frozenset[str]
    """All that may follow the function's name; empty if a value is no literal."""


def fixed_names(reported: Collection[str], sources: Mapping[str, bytes]) -> FixedNames:
    """Return which of the names that the gold patch's run reported are fixed by the hidden test files, given by path."""
    known = _known(sources)
    of_function: defaultdict[str, set[str]] = defaultdict(set)
    for name in reported:
        of_function[function_of(name)].add(name)
    names = {name for path, source in sources.items() for name in fixed_titles(path, source)} & set(reported)
    counted: set[str] = set()
    for function, found in of_function.items():
        cases = known.get(function)
        if cases and all(name[len(function) :] in cases.suffixes for name in found):
            names |= found
        elif cases and len(found) == cases.number:
            counted.add(function)
    return FixedNames(names=tuple(sorted(names)), counted=tuple(sorted(counted)))


def _known(sources: Mapping[str, bytes]) -> Mapping[str, _Cases]:
    """Return the cases of all functions, under the names that these have for pytest and unittest in the folders they may start in."""
    found: defaultdict[str, list[_Cases]] = defaultdict(list)
    for path, source in sources.items():
        folders = path.removesuffix(".py").split("/")
        for qualified, cases in _tests(source):
            for at in range(len(folders)):
                found[f"{'/'.join(folders[at:])}.py::{'::'.join(qualified)}"].append(cases)
                found[".".join((*folders[at:], *qualified))].append(cases)
    return {name: cases[0] for name, cases in found.items() if len(cases) == 1}


def _tests(source: bytes) -> Iterator[tuple[tuple[str, ...], _Cases]]:
    """Yield the functions of a source and its classes with their cases, where their number is fixed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    tables = _tables(tree)
    for name, decorators in _functions(tree.body, (), ()):
        cases = _cases(decorators, tables)
        if cases is not None:
            yield name, cases


def _functions(
    body: Sequence[ast.stmt], outer: tuple[str, ...], applied: Sequence[ast.expr]
) -> Iterator[tuple[tuple[str, ...], Sequence[ast.expr]]]:
    """Yield functions that are defined once and in any case, with the decorators that pytest applies, the nearest first."""
    bound = Counter(_bound(body))
    for node in body:
        if isinstance(node, _DEFINITIONS) and bound[node.name] == 1:
            name, decorators = (*outer, node.name), (*reversed(node.decorator_list), *applied)
            if isinstance(node, ast.ClassDef):
                yield from _functions(node.body, name, decorators)
            else:
                yield name, decorators


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield each name that a scope binds or deletes, as often as it does."""
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, _DEFINITIONS):
            yield node.name
        if not isinstance(node, _DEFINITIONS):
            left += ast.iter_child_nodes(node)


def _tables(tree: ast.Module) -> Mapping[str, ast.expr]:
    """Return the values of the module's names that nothing but `parametrize` reads, and nothing changes."""
    bound = Counter(_bound(tree.body))
    uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    tables = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            tables[node.targets[0].id] = node.value
    calls = (_arguments(node) for node in ast.walk(tree) if isinstance(node, ast.Call))
    read = Counter(values.id for _, values, _ in filter(None, calls) if isinstance(values, ast.Name))
    return {name: value for name, value in tables.items() if bound[name] == 1 and uses[name] == 1 + read[name]}


def _arguments(node: ast.expr) -> tuple[ast.expr, ast.expr, ast.expr | None] | None:
    """Return the names, values and ids of a call of `parametrize`; `None` for other expressions."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "parametrize":
        return None
    if ast.unparse(node.func) not in _PARAMETRIZE:
        return None
    given = {
        **dict(zip(("argnames", "argvalues", "indirect", "ids"), node.args, strict=False)),
        **{each.arg or "**": each.value for each in node.keywords},
    }
    if not {"argnames", "argvalues"} <= given.keys() or "**" in given:
        return None
    return given["argnames"], given["argvalues"], given.get("ids")


def _cases(decorators: Sequence[ast.expr], tables: Mapping[str, ast.expr]) -> _Cases | None:
    """Return the cases of a function, or `None` if their number is not fixed."""
    number, parts = 1, []
    for decorator in decorators:
        if "parametrize" not in ast.dump(decorator):
            continue
        arguments = _arguments(decorator)
        if arguments is None:
            return None
        names, values, ids = arguments
        rows = tables.get(values.id) if isinstance(values, ast.Name) else values
        if not isinstance(rows, (ast.List, ast.Tuple)) or any(isinstance(row, ast.Starred) for row in rows.elts):
            return None
        number *= len(rows.elts)
        parts.append(_ids(names, rows.elts, ids))
    if not parts:
        return _Cases(1, frozenset([""]))
    return _Cases(number, frozenset(f"[{'-'.join(each)}]" for each in product(*parts)))


def _ids(argnames: ast.expr, rows: Sequence[ast.expr], ids: ast.expr | None) -> frozenset[str]:
    """Return the ids of a table's rows; nothing if one of them is not fixed."""
    try:
        names = ast.literal_eval(argnames)
        given = [None] * len(rows) if ids is None else [ast.literal_eval(each) for each in _elements(ids)]
        found = [_row_id(names, at, row, given[at]) for at, row in enumerate(rows)]
    except (ValueError, TypeError, IndexError):  # what is no literal, or no table
        return frozenset()
    # pytest numbers those that are equal; before version 8 without the line.
    again = {each for each, count in Counter(found).items() if count > 1}
    numbered = {f"{each}{line}{at}" for each in again for at in range(len(rows)) for line in ("", "_")}
    return frozenset({*found, *numbered})


def _row_id(names: str | Sequence[str], at: int, row: ast.expr, given: object) -> str:
    """Return the id of a row. Raises `ValueError` if something else than literals has a part in it."""
    if isinstance(row, ast.Call):
        if ast.unparse(row.func) not in ("pytest.param", "param"):
            raise ValueError("not a literal")
        own = {each.arg: each.value for each in row.keywords}
        if None in own:  # what is in `**values` is not known
            raise ValueError("not a literal")
        own_id = ast.literal_eval(own["id"]) if "id" in own else None
        given, values = own_id if own_id is not None else given, row.args
    elif isinstance(names, str) and "," not in names:
        values = [row]
    else:
        values = _elements(row)
    if given is not None:
        return _text(given)
    each_name = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    parts = [(name, ast.literal_eval(value)) for name, value in zip(each_name, values, strict=True)]
    return "-".join(_text(value) if isinstance(value, _SIMPLE) else f"{name}{at}" for name, value in parts)


def _elements(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, (ast.List, ast.Tuple)):
        raise ValueError("not a list")
    return node.elts


def _text(value: object) -> str:
    """Write a value as pytest does."""
    if isinstance(value, str):
        return value.encode("unicode_escape").decode("ascii")
    if isinstance(value, bytes):
        return _text(value.decode("latin-1")).replace("\\\\", "\\")
    return str(value)
