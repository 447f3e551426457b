"""Edits that break the expectation of a test: in place, one line for one line, so that names, order and places stay.

An edit is *quiet* if nothing in its text is new: it uses a value that the repository uses several times. Whoever reads the source of the
tests at run time does not see which of them are broken.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Self

from cooperbench.records import BrokenTest, Record


class EditKind(StrEnum):
    """What an edit changes. All follow from the truth of the original expectation; none touches an input of a test."""

    VALUE = "value"
    """A constant that a result is compared with."""
    WRAPPED = "wrapped"
    """A value that the test makes by itself, in a container: only what is equal to everything is equal to that."""
    NEEDLE = "needle"
    """A constant that a result has to contain."""
    MATCH = "match"
    """A word of a pattern that a message has to match."""
    RAISES = "raises"
    """The class of an expected exception."""
    OPERATOR = "operator"
    """A comparison or assertion turned into its opposite."""
    NEGATE = "negate"
    """A condition that is negated."""


_ORDER = tuple(EditKind)


class Edit(Record):
    """A replacement of the bytes from `start` to `end` of a file."""

    start: int
    end: int
    text: str
    kind: EditKind
    quiet: bool = True
    patched: bool = True
    """True if the hidden tests' patch adds the line: then the broken suite's patch has the same hunks."""

    def rank(self) -> tuple[bool, bool, bool, int]:
        """Return what edits are ordered by: the least conspicuous first, and what is turned round last.

        An object that is equal to everything fails an expectation that is turned round, as right work does.
        """
        turned = self.kind in (EditKind.OPERATOR, EditKind.NEGATE)
        return not self.patched, not self.quiet, turned, _ORDER.index(self.kind)


class TestFunction(Record):
    """One test in a source, and the edits that may break it, the least conspicuous first."""

    __test__ = False  # pytest would collect it by its name

    path: str
    name: str
    reported: str
    """A regular expression for the names under which the test runner reports it."""
    edits: tuple[Edit, ...] = ()

    @property
    def key(self) -> str:
        """Path and name."""
        return f"{self.path}::{self.name}"

    def sorted(self, added: frozenset[int], source: bytes) -> Self:
        """Order the edits; `added` are the lines of the source, from 1, that the hidden tests' patch adds.

        Among those of a rank, the first ones of all places come first: the values that stand there are tried in turn.
        """
        marked = [edit.model_copy(update={"patched": line_of(source, edit.start) in added}) for edit in self.edits]
        seen: Counter[int] = Counter()
        places = []
        for edit in marked:
            places.append(seen[edit.start])
            seen[edit.start] += 1
        order = sorted(range(len(marked)), key=lambda at: (marked[at].rank(), places[at]))
        return self.model_copy(update={"edits": tuple(marked[at] for at in order)})


def line_of(source: bytes, position: int) -> int:
    """Return the line of a position, from 1."""
    return source.count(b"\n", 0, position) + 1


def added_lines(before: bytes | None, source: bytes) -> frozenset[int]:
    """Return the lines of a source, from 1, that are not in what was there before."""
    known = frozenset((before or b"").splitlines())
    return frozenset(number for number, line in enumerate(source.splitlines(), start=1) if line not in known)


def apply_edits(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Make edits. One that overlaps with a later one in the source is left out."""
    limit = len(source) + 1
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        if max(edit.end, edit.start + 1) > limit:
            continue
        source, limit = source[: edit.start] + edit.text.encode() + source[edit.end :], edit.start
    return source


def describe(function: TestFunction, edit: Edit, source: bytes) -> BrokenTest:
    """Show the first line that an edit changes, before and after."""
    line = line_of(source, edit.start)
    before, after = (_line(text, line) for text in (source, apply_edits(source, [edit])))
    return BrokenTest(test=function.name, path=function.path, line=line, kind=edit.kind, before=before, after=after)


def _line(source: bytes, number: int) -> str:
    lines: Sequence[bytes] = source.splitlines()
    return lines[number - 1].decode("utf-8", "replace").strip()[:200]
