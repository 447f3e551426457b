"""Modules and functions that are longer than they should be are listed here. The lists only get shorter, the numbers only smaller."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "cooperbench"
MODULE_LINES, FUNCTION_LINES = 300, 40

LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS = {
    "runner/api.py:run": 86,  # its signature is the documented interface
}


def test_modules_fit_into_300_lines() -> None:
    compare(dict(modules()), LONG_MODULES, MODULE_LINES)


def test_functions_fit_on_a_screen() -> None:
    compare(dict(functions()), LONG_FUNCTIONS, FUNCTION_LINES)


def compare(lines: dict[str, int], listed: dict[str, int], limit: int) -> None:
    """Fail for what is longer than the limit or than listed, and for what is listed and no longer long."""
    longer = {name: length for name, length in lines.items() if length > listed.get(name, limit)}
    assert not longer, f"split it: more than {limit} lines, or more than are listed"
    stale = {name: lines.get(name, 0) for name, length in listed.items() if lines.get(name, 0) < length}
    assert not stale, f"well done: write the smaller number into {Path(__file__).name}, or take the entry out"


def modules() -> Iterator[tuple[str, int]]:
    for path in SOURCE.rglob("*.py"):
        yield str(path.relative_to(SOURCE)), len(path.read_text().splitlines())


def functions() -> Iterator[tuple[str, int]]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(SOURCE)}:{node.name}"
                yield name, (node.end_lineno or node.lineno) - node.lineno + 1
