"""Find titles of jest and vitest that the source of the tests fixes: literals, of tests that are registered under no condition."""

from collections.abc import Iterator, Sequence

from tree_sitter import Node

from cooperbench.evaluation.grammars import javascript_parser, text_of

_SUFFIXES = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_MODES = ("", ".only", ".concurrent", ".sequential")
_TESTS = {f"{name}{mode}" for name in ("test", "it") for mode in (*_MODES, ".failing", ".fails")}
_BLOCKS = {f"{name}{mode}" for name in ("describe", "suite") for mode in _MODES}
_FUNCTIONS = ("arrow_function", "function_expression")


def fixed_titles(path: str, source: bytes) -> Iterator[str]:
    """Yield the names of a file's tests whose titles are literals, those around them included."""
    if path.endswith(_SUFFIXES):
        for titles in _titles(javascript_parser(path).parse(source).root_node, ()):
            yield f"{path}:{' '.join(titles)}"


def _titles(block: Node, outer: Sequence[str]) -> Iterator[Sequence[str]]:
    if _may_return(block):
        return
    for statement in block.named_children:
        call = statement.named_children[0] if statement.type == "expression_statement" else statement
        called, arguments = (call.child_by_field_name(name) for name in ("function", "arguments"))
        if call.type != "call_expression" or called is None or arguments is None or not arguments.named_children:
            continue
        titles = [*outer, _literal(arguments.named_children[0])]
        name = text_of(called)
        if "" in titles[len(outer) :]:
            continue
        if name in _TESTS:
            yield titles
        elif name in _BLOCKS:
            for argument in arguments.named_children:
                body = argument.child_by_field_name("body") if argument.type in _FUNCTIONS else None
                if body is not None and body.type == "statement_block":
                    yield from _titles(body, titles)


def _may_return(node: Node) -> bool:
    """Tell whether a block may end before its last statement. Functions inside of it end for themselves."""
    return any(
        child.type == "return_statement" or ("function" not in child.type and _may_return(child))
        for child in node.named_children
    )


def _literal(node: Node) -> str:
    """Return what stands between quotes; empty for other expressions, and where something is escaped."""
    text = text_of(node)
    is_plain = node.type == "string" or (node.type == "template_string" and "${" not in text)
    return text[1:-1] if is_plain and "\\" not in text and "\n" not in text else ""
