"""Parsers of other languages, from their tree-sitter grammars."""

from collections.abc import Callable
from functools import cache
from pathlib import PurePosixPath

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

_GRAMMARS = dict.fromkeys((".ts", ".mts", ".cts"), tree_sitter_typescript.language_typescript)
_GRAMMARS[".tsx"] = tree_sitter_typescript.language_tsx


@cache
def parser(grammar: Callable[[], object]) -> Parser:
    """Return the parser of a grammar package's function."""
    return Parser(Language(grammar()))


def javascript_parser(path: str) -> Parser:
    """Return the parser for a file in JavaScript or TypeScript."""
    return parser(_GRAMMARS.get(PurePosixPath(path).suffix, tree_sitter_javascript.language))


def text_of(node: Node | None) -> str:
    """Return the source of a node; empty for `None`."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""
