"""Break Rust tests: the arguments of assertion macros, the macros themselves, and `should_panic`."""

import itertools
import re
from collections.abc import Iterator, Sequence

import tree_sitter_rust
from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind, TestFunction
from cooperbench.evaluation.falsification.languages.rust_names import (
    MAKES_VALUES,
    RustNames,
    attribute_of,
    split,
    variable_of,
)
from cooperbench.evaluation.falsification.languages.syntax import Literals, field, in_place_of, is_small, replace, walk
from cooperbench.evaluation.falsification.vocabulary import Vocabulary
from cooperbench.evaluation.grammars import parser, text_of

_TEST = re.compile(r"#\[\s*(?:\w+::)*(?:test|rstest|test_case|wasm_bindgen_test)\b")
_CLOSE = {"assert_relative_eq", "assert_abs_diff_eq", "assert_ulps_eq"}
_OPPOSITES = {"assert_eq": "assert_ne", "assert_ne": "assert_eq", **{each: f"{each[:-2]}ne" for each in _CLOSE}}
_LITERALS = {"integer_literal", "float_literal", "string_literal", "boolean_literal", "char_literal"}
_SEARCHES = {"contains", "starts_with", "ends_with"}


def rust_tests(path: str, source: bytes, vocabulary: Vocabulary) -> list[TestFunction]:
    """List the tests of a source by the modules around them."""
    root = parser(tree_sitter_rust.language).parse(source).root_node
    return list(_tests(path, root, root, "", vocabulary))


def _tests(path: str, root: Node, node: Node, modules: str, vocabulary: Vocabulary) -> Iterator[TestFunction]:
    attributes: list[Node] = []
    for child in node.named_children:
        if child.type == "attribute_item":
            attributes.append(child)
            continue
        name, body = text_of(field(child, "name")), field(child, "body")
        if child.type == "mod_item" and body is not None:
            yield from _tests(path, root, body, f"{modules}{name}::", vocabulary)
        elif child.type == "function_item" and body is not None and any(_TEST.match(text_of(a)) for a in attributes):
            literals = Literals(vocabulary, child)
            names = RustNames(root, child, attributes)
            edits = (
                *_broken_values(body, literals, names),
                *(edit for each in attributes for edit in _in_attribute(each, literals)),
                *_turned(body),
            )
            yield TestFunction(path=path, name=modules + name, reported=_reported(modules + name), edits=edits)
        if "comment" not in child.type:
            attributes = []


def _reported(name: str) -> str:
    """Match `crate:binary:module::test`, and the cases of `rstest` and `test_case`. Tests of one name in several files are broken together."""
    return rf"(?:^|:){re.escape(name)}(?:::\w+)?$"


def _in_attribute(attribute: Node, literals: Literals) -> Iterator[Edit]:
    kind, tokens = attribute_of(attribute)
    if kind == "should_panic":
        for each in walk(attribute):
            if each.type == "string_literal":
                yield from literals.edits(each, EditKind.MATCH)
        yield replace(attribute.named_children[0], "allow(unused)", EditKind.RAISES)
    elif kind == "test_case" and tokens is not None:
        children = [text_of(each) for each in tokens.children]
        if "=>" in children:
            end = children.index(";") if ";" in children else len(children)
            yield from _literals(tokens.children[children.index("=>") : end], literals, EditKind.VALUE)


def _asserted(body: Node) -> Iterator[tuple[str, Node, list[list[Node]]]]:
    """Yield the assertion macros: name, node of the name, arguments."""
    for node in walk(body):
        macro, tokens = field(node, "macro"), node.children[-1] if node.children else None
        if node.type == "macro_invocation" and macro is not None and tokens is not None and tokens.type == "token_tree":
            name = text_of(macro).rpartition("::")[2]
            if name in (*_OPPOSITES, "assert"):
                yield name, macro, split(tokens)


def _broken_values(body: Node, literals: Literals, names: RustNames) -> Iterator[Edit]:
    expected: list[tuple[list[Node], EditKind]] = []
    messages: set[int] = set()
    for name, _, arguments in _asserted(body):
        if name == "assert_eq" or (name in _CLOSE and all(map(_is_small, arguments[2:]))):
            expected += [(each, EditKind.VALUE) for each in arguments[:2]]
        elif name == "assert" and arguments:
            expected += _compared(arguments[0])
        rest = arguments[1 if name == "assert" else 2 :]
        messages |= {each.start_byte for tokens in rest for token in tokens for each in walk(token)}
    variables = [variable_of(tokens) for tokens, _ in expected]
    places = messages | {each.start for each in variables if each is not None}
    for (tokens, kind), variable in zip(expected, variables, strict=True):
        yield from _literals(tokens, literals, kind)
        found = list(names.values(variable, places)) if variable is not None else []
        for value in found:
            yield from _literals(value, literals, kind)
        if variable is not None and not found and (copied := names.copied(variable)) is not None:
            yield from in_place_of(*copied, _literals(copied[1:], literals, kind))


def _is_small(tokens: Sequence[Node]) -> bool:
    """Tell whether a tolerance such as `epsilon = 1e-6` is small."""
    return text_of(tokens[0]) == "max_ulps" or is_small(tokens[-1]) if tokens else True


def _compared(tokens: list[Node]) -> Iterator[tuple[list[Node], EditKind]]:
    """Yield what a condition that holds compares: both sides of `==`, or what has to be found."""
    signs = [text_of(token) for token in tokens]
    if signs.count("==") == 1 and not {"&&", "||", "!"} & {*signs}:
        at = signs.index("==")
        yield tokens[:at], EditKind.VALUE
        yield tokens[at + 1 :], EditKind.VALUE
    inside = [each for token in tokens for each in walk(token)]
    for before, after in itertools.pairwise(inside):
        if text_of(before) in _SEARCHES and after.type == "token_tree" and "!" not in signs:
            yield after.children[1:-1], EditKind.NEEDLE


def _literals(tokens: Sequence[Node], literals: Literals, kind: EditKind) -> Iterator[Edit]:
    """Yield edits of the literals of an argument that is made of nothing else."""
    inside = [each for token in tokens for each in walk(token)]
    names = {text_of(each) for each in inside if each.type in ("identifier", "self", "super", "crate")}
    if names <= MAKES_VALUES:
        for each in inside:
            if each.type in _LITERALS:
                yield from literals.edits(each, kind)


def _turned(body: Node) -> Iterator[Edit]:
    for name, macro, arguments in _asserted(body):
        if name in _OPPOSITES:
            end = macro.end_byte
            yield Edit(start=end - len(name), end=end, text=_OPPOSITES[name], kind=EditKind.OPERATOR, quiet=False)
        elif arguments and arguments[0]:
            yield Edit(
                start=arguments[0][0].start_byte,
                end=arguments[0][-1].end_byte,
                text=f"!({''.join(_with_gaps(arguments[0]))})",
                kind=EditKind.NEGATE,
                quiet=False,
            )


def _with_gaps(tokens: Sequence[Node]) -> Iterator[str]:
    """Yield the source of tokens, with what lies between them."""
    tree = tokens[0].parent
    if tree is not None and tree.text is not None:
        yield tree.text[tokens[0].start_byte - tree.start_byte : tokens[-1].end_byte - tree.start_byte].decode()
