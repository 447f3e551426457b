"""Read sources by their tree-sitter grammar, and edit literals in them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from tree_sitter import Node

from cooperbench.evaluation.falsification.edits import Edit, EditKind
from cooperbench.evaluation.falsification.vocabulary import TOLERANCE, OwnValues, Vocabulary, typo, unlikely
from cooperbench.evaluation.grammars import text_of

_BOOLEANS = {"true": "false", "false": "true"}
_STRING = re.compile(r"(?P<quote>[\"'`])(?P<body>.+)(?P=quote)", re.DOTALL)
_NUMBER = re.compile(r"(?P<digits>\d+(?:\.\d+)?)(?P<suffix>[a-z_]\w*)?")
LONG = 8
"""Characters from which on a text is not expected to be found somewhere by chance."""


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, in the order of the source."""
    yield node
    for child in node.children:
        yield from walk(child)


def field(node: Node, name: str) -> Node | None:
    """Return a child by the name of its field."""
    return node.child_by_field_name(name)


def arguments_of(node: Node) -> list[Node]:
    """Return the arguments of a call."""
    found = field(node, "arguments")
    return list(found.named_children) if found is not None else []


def replace(node: Node, text: str, kind: EditKind, *, quiet: bool = False) -> Edit:
    """Replace a node's source."""
    return Edit(start=node.start_byte, end=node.end_byte, text=text, kind=kind, quiet=quiet)


def in_place_of(name: Node, value: Node, edits: Iterable[Edit]) -> Iterator[Edit]:
    """Put a changed copy of a value in the place of a name, whose own value has to stay: it is an input of the test, too."""
    text = (value.text or b"").decode("utf-8", "replace")
    if "\n" in text or not text.isascii():
        return
    for edit in edits:
        start, end = edit.start - value.start_byte, edit.end - value.start_byte
        yield replace(name, text[:start] + edit.text + text[end:], edit.kind, quiet=edit.quiet)


class Literals:
    """Edits of literals, the same ones for the same test."""

    def __init__(self, vocabulary: Vocabulary, test: Node) -> None:
        self._vocabulary = vocabulary
        self._random = Random(text_of(test))
        self._own = OwnValues(_literals(test))

    def edits(self, node: Node, kind: EditKind = EditKind.VALUE, *, tolerant: bool = False) -> Iterator[Edit]:
        """Yield edits of one literal; none if the node is something else."""
        old = text_of(node)
        for new, quiet in self._others(old, kind, self._own.near(node.start_byte), tolerant=tolerant):
            if new != old and new.count("\n") == old.count("\n"):
                yield replace(node, new, kind, quiet=quiet)

    def _others(self, old: str, kind: EditKind, own: Sequence[str], *, tolerant: bool) -> Iterator[tuple[str, bool]]:
        if old in _BOOLEANS:
            yield _BOOLEANS[old], True
        elif number := _NUMBER.fullmatch(old):
            suffix = number["suffix"] or ""
            numbers = self._vocabulary.numbers(number["digits"], self._random, own, tolerant=tolerant)
            yield from ((each + suffix, True) for each in numbers)
        elif (string := _STRING.fullmatch(old)) and "\\" not in old and "${" not in old:
            quote, body = string["quote"], string["body"]
            # A text that has to be found may by chance be found elsewhere: only long ones, and never exchanged as a whole.
            if kind is EditKind.VALUE:
                texts = self._vocabulary.texts(body, self._random, own)
            else:
                texts = self._vocabulary.phrases(body, self._random) if len(body) >= LONG else []
            yield from ((quote + text + quote, True) for text in texts if quote not in text)
            is_short = kind is not EditKind.VALUE and len(body) < LONG // 2
            changed = unlikely(body, self._random) if is_short else typo(body, self._random)
            if changed:
                yield quote + changed + quote, False


def is_small(node: Node | None) -> bool:
    """Tell whether a node is a number, and a tolerance below which another value is known to be wrong."""
    try:
        return float(text_of(node)) <= TOLERANCE
    except ValueError:
        return False


def _literals(node: Node) -> Iterator[tuple[int, str]]:
    """Yield numbers, and what stands between quotes."""
    text = text_of(node)
    if "string" in node.type:
        string = _STRING.fullmatch(text)
        if string and "\\" not in text and "${" not in text:
            yield node.start_byte, string["body"]
        return
    number = _NUMBER.fullmatch(text)
    if number and not node.named_children:
        yield node.start_byte, number["digits"]
    for child in node.children:
        yield from _literals(child)
