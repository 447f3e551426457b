"""Rewrite sources so that they look otherwise and do the same: other local names, extracted functions, reordered members, other layout."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

import tree_sitter_go
import tree_sitter_javascript
import tree_sitter_rust
import tree_sitter_typescript
from tree_sitter import Node

from cooperbench.evaluation.falsification.languages.syntax import field, parser, text_of, walk

Rewrite = Callable[[str, bytes], bytes]
"""Makes another source of a path and its source."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal)
_READS_NAMES = ("locals", "vars", "eval", "exec", "dir", "super")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NOT_EXTRACTED = (*_COMPREHENSIONS, ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)


class _LocalNames(ast.NodeTransformer):
    """Renames what functions without inner scopes assign, but not their arguments."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if any(isinstance(each, _SCOPES) for part in node.body for each in ast.walk(part)) or _reads_names(node):
            return node
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        names -= {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in names:
                each.id = f"{each.id}_here"
        return node


class _Branches(ast.NodeTransformer):
    """Swaps the branches of each `if` with `else`."""

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if node.orelse and not isinstance(node.orelse[0], ast.If):
            node.test = ast.UnaryOp(ast.Not(), node.test)
            node.body, node.orelse = node.orelse, node.body
        return node


class _Extracted(ast.NodeTransformer):
    """Moves what functions return into functions of their own, at the end of the module."""

    def __init__(self) -> None:
        self.functions: list[ast.stmt] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        # Inner functions stay: they see the variables of the outer one.
        if any(isinstance(each, _SCOPES) for part in node.body for each in ast.walk(part)) or _reads_names(node):
            return node
        known = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        known |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        for each in ast.walk(node):
            if isinstance(each, ast.Return) and each.value is not None and _can_be_extracted(each.value):
                each.value = self._extract(each.value, known)
        return node

    def _extract(self, value: ast.expr, known: set[str]) -> ast.expr:
        used = {each.id: None for each in ast.walk(value) if isinstance(each, ast.Name) and each.id in known}
        name = f"_part_{len(self.functions)}"
        arguments = ast.arguments([], [ast.arg(each) for each in used], None, [], [], None, [])
        self.functions.append(ast.FunctionDef(name, arguments, [ast.Return(value)], []))
        return ast.Call(ast.Name(name, ast.Load()), [ast.Name(each, ast.Load()) for each in used], [])


def _can_be_extracted(value: ast.expr) -> bool:
    if isinstance(value, (ast.Name, ast.Constant)) or any(isinstance(each, _NOT_EXTRACTED) for each in ast.walk(value)):
        return False
    # Private names of a class mean something else outside of it.
    return not any(isinstance(each, ast.Attribute) and each.attr.startswith("__") for each in ast.walk(value))


class _Reordered(ast.NodeTransformer):
    """Turns round the order of functions that stand one after another, in modules and classes."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        node.body = list(_turned(node.body))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = list(_turned(node.body))
        return node


def _turned(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    run: list[ast.stmt] = []
    for each in body:
        if (
            isinstance(each, ast.FunctionDef)
            and not each.decorator_list
            and each.name not in {_name(one) for one in run}
        ):
            run.append(each)
            continue
        yield from reversed(run)
        run = []
        yield each
    yield from reversed(run)


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef) else ""


def _reads_names(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Name) and each.id in _READS_NAMES for each in ast.walk(node))


def _by_tree(*transformers: type[ast.NodeTransformer]) -> Rewrite:
    def rewrite(path: str, source: bytes) -> bytes:
        tree = ast.parse(source)
        for kind in transformers:
            transformer = kind()
            tree = transformer.visit(tree)
            if isinstance(transformer, _Extracted):
                tree.body += transformer.functions
        return (ast.unparse(ast.fix_missing_locations(tree)) + "\n").encode()

    return rewrite


def _narrow(path: str, source: bytes) -> bytes:
    """Format anew, in lines of 60 characters."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        "--line-length",
        "60",
        "--stdin-filename",
        path,
        "-",
    ]
    return subprocess.run(command, input=source, capture_output=True, check=True).stdout


PYTHON: dict[str, Rewrite] = {
    "local names": _by_tree(_LocalNames),
    "branches swapped": _by_tree(_Branches),
    "functions extracted": _by_tree(_Extracted),
    "members reordered": _by_tree(_Reordered),
    "narrow lines": _narrow,
    "all of it": _by_tree(_Extracted, _LocalNames, _Branches, _Reordered),
}

_GRAMMARS = {
    ".go": tree_sitter_go.language,
    ".rs": tree_sitter_rust.language,
    ".ts": tree_sitter_typescript.language_typescript,
    ".js": tree_sitter_javascript.language,
}
_FUNCTIONS = ("function_declaration", "method_declaration", "function_item")
_BINDS = {
    "parameter_declaration": "name",
    "short_var_declaration": "left",
    "range_clause": "left",
    "let_declaration": "pattern",
    "parameter": "pattern",
    "required_parameter": "pattern",
    "variable_declarator": "name",
}


def _other_names(path: str, source: bytes) -> bytes:
    """Rename parameters and local variables of functions."""
    edits = []
    for function in _functions(path, source):
        bound = {
            text_of(name)
            for node in walk(function)
            if node.type in _BINDS and (names := field(node, _BINDS[node.type])) is not None
            for name in walk(names)
            if name.type == "identifier" and text_of(name) != "_"
        }
        # `{ price }` is a property as well.
        bound -= {text_of(node) for node in walk(function) if node.type.startswith("shorthand_")}
        edits += [
            (node.end_byte, node.end_byte, b"_here")
            for node in walk(function)
            if node.type == "identifier" and text_of(node) in bound
        ]
    return _edited(source, edits)


def _functions_turned(path: str, source: bytes) -> bytes:
    """Turn round the order of the functions at the top."""
    places = [
        (node.start_byte, node.end_byte)
        for node in parser(_GRAMMARS[PurePosixPath(path).suffix]).parse(source).root_node.children
        if node.type in _FUNCTIONS
        or (node.type == "export_statement" and any(child.type in _FUNCTIONS for child in node.children))
    ]
    texts = [source[start:end] for start, end in reversed(places)]
    return _edited(source, [(*place, text) for place, text in zip(places, texts, strict=True)])


def _comments(path: str, source: bytes) -> bytes:
    """Put comments and empty lines into functions."""
    bodies = [body for function in _functions(path, source) if (body := field(function, "body")) is not None]
    return _edited(source, [(body.start_byte + 1,) * 2 + (b"\n\n// What it gives.\n",) for body in bodies])


def _functions(path: str, source: bytes) -> list[Node]:
    root = parser(_GRAMMARS[PurePosixPath(path).suffix]).parse(source).root_node
    tests = {node.id for module in root.children if module.type == "mod_item" for node in walk(module)}
    return [node for node in walk(root) if node.type in _FUNCTIONS and node.id not in tests]


def _edited(source: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    for start, end, text in sorted(set(edits), reverse=True):
        source = source[:start] + text + source[end:]
    return source


OTHERS: dict[str, Rewrite] = {"local names": _other_names, "members reordered": _functions_turned, "layout": _comments}


def rewrites_of(path: str) -> dict[str, Rewrite]:
    """Return the ways to rewrite a file of this name; none for languages that are not known."""
    suffix = PurePosixPath(path).suffix
    return PYTHON if suffix == ".py" else OTHERS if suffix in _GRAMMARS else {}
