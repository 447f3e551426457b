"""Break Rust tests: the arguments of assertion macros, the macros themselves, and `should_panic`."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import tree_sitter_rust
from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.syntax import (
    Literals,
    field,
    parser,
    replace,
    text_of,
    used_once,
    walk,
)
from cooperbench.evaluation.falsification.vocabulary import Vocabulary

_TEST = re.compile(r"#\[\s*(?:\w+::)*(?:test|rstest|test_case|wasm_bindgen_test)\b")
_OPPOSITES = {"assert_eq": "assert_ne", "assert_ne": "assert_eq"}
_LITERALS = {"integer_literal", "float_literal", "string_literal", "boolean_literal", "char_literal"}
_MAKES_VALUES = {"Some", "Ok", "Err", "None", "vec", "String", "from", "to_string", "to_owned", "into", "Box", "new"}
"""Names inside of an expected value that change nothing about it."""
_SEARCHES = {"contains", "starts_with", "ends_with"}


def rust_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the tests of a source by the modules around them."""
    return list(_tests(path, parser(tree_sitter_rust.language).parse(source).root_node, "", vocabulary))


def _tests(path: str, node: Node, modules: str, vocabulary: Vocabulary) -> Iterator[TestFunction]:
    attributes: list[Node] = []
    for child in node.named_children:
        if child.type == "attribute_item":
            attributes.append(child)
            continue
        name, body = text_of(field(child, "name")), field(child, "body")
        if child.type == "mod_item" and body is not None:
            yield from _tests(path, body, f"{modules}{name}::", vocabulary)
        elif child.type == "function_item" and body is not None and any(_TEST.match(text_of(a)) for a in attributes):
            literals = Literals(vocabulary, child)
            made = used_once(body, "let_declaration", "pattern", "value")
            edits = (*_edits(body, literals, made), *(e for each in attributes for e in _should_panic(each, literals)))
            yield TestFunction(path=path, name=modules + name, reported=_reported(modules + name), edits=edits)
        if "comment" not in child.type:
            attributes = []


def _reported(name: str) -> str:
    """Match `crate:binary:module::test`, and the cases of `rstest`. Tests of one name in several files are broken together."""
    return rf"(?:^|:){re.escape(name)}(?:::case\w*)?$"


def _should_panic(attribute: Node, literals: Literals) -> Iterator[Edit]:
    inner = next((each for each in attribute.named_children if each.type == "attribute"), None)
    if inner is None or not text_of(inner).startswith("should_panic"):
        return
    for each in walk(inner):
        if each.type == "string_literal":
            yield from literals.edits(each, EditKind.MATCH)
    yield replace(inner, "allow(unused)", EditKind.RAISES)


def _edits(body: Node, literals: Literals, made: Mapping[str, Node]) -> Iterator[Edit]:
    for node in walk(body):
        macro, tokens = field(node, "macro"), node.children[-1] if node.children else None
        if node.type != "macro_invocation" or macro is None or tokens is None or tokens.type != "token_tree":
            continue
        name = text_of(macro).rpartition("::")[2]
        arguments = _arguments(tokens)
        if name in _OPPOSITES:
            if name == "assert_eq":
                for argument in arguments[:2]:
                    named = made.get(text_of(argument[0])) if len(argument) == 1 else None
                    yield from _values([named] if named else argument, literals)
            end = macro.end_byte
            yield Edit(start=end - len(name), end=end, text=_OPPOSITES[name], kind=EditKind.OPERATOR, quiet=False)
        elif name == "assert" and arguments and arguments[0]:
            yield from _needles(arguments[0], literals)
            first, last = arguments[0][0], arguments[0][-1]
            text = (tokens.text or b"")[
                first.start_byte - tokens.start_byte : last.end_byte - tokens.start_byte
            ].decode()
            yield Edit(start=first.start_byte, end=last.end_byte, text=f"!({text})", kind=EditKind.NEGATE, quiet=False)


def _arguments(tokens: Node) -> list[list[Node]]:
    """Split the tokens between the brackets of a macro at its commas."""
    found: list[list[Node]] = [[]]
    for token in tokens.children[1:-1]:
        if token.type == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def _values(tokens: Sequence[Node], literals: Literals) -> Iterator[Edit]:
    """Yield edits of the literals of an argument that is made of nothing else."""
    inside = [each for token in tokens for each in walk(token)]
    names = {text_of(each) for each in inside if each.type in ("identifier", "self", "super", "crate")}
    if names <= _MAKES_VALUES:
        for each in inside:
            if each.type in _LITERALS:
                yield from literals.edits(each)


def _needles(tokens: Sequence[Node], literals: Literals) -> Iterator[Edit]:
    inside = [each for token in tokens for each in walk(token)]
    for before, after in itertools.pairwise(inside):
        if text_of(before) in _SEARCHES and after.type == "token_tree" and len(after.named_children) == 1:
            literal = after.named_children[0]
            if literal.type == "string_literal" and "!" not in {text_of(token) for token in tokens}:
                yield from literals.edits(literal, EditKind.NEEDLE)
