"""Convert files as git does when it takes them from a work tree.

By `eol=crlf`, `working-tree-encoding` or `ident` in `.gitattributes` a file has other bytes in the work tree than in git: patches that git made
have the bytes in git, captured ones those of the work tree. Trees of the evaluation hold the bytes in git, so that both kinds of
patches come to the same tree, and the sandbox's own git, which applies the result, makes the work tree's bytes of it again. The
attributes are those of the base: a submission's have no say.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from cooperbench.evaluation.git import GitStore

_CONVERTING = "(^|[[:space:]])(eol=crlf|working-tree-encoding=|ident([[:space:]]|$))"
_IDENT = re.compile(rb"\$Id:[^$\n]*\$")
_FILES = ("100644", "100755")


class Conversion(NamedTuple):
    """The difference between a file in git and in the work tree."""

    encoding: str | None
    """The work tree's; `None` for that of git."""
    carriage_returns: bool
    """True if lines end with CRLF in the work tree."""
    automatic: bool
    """True if lines of binary files are left alone."""
    ident: bool
    """True if the work tree has the id of the blob in `$Id$`."""

    def to_git(self, data: bytes) -> bytes:
        """Return the bytes that git keeps. Those that it could keep already are left alone."""
        if self.encoding is not None and not _is_utf8(data):
            try:
                data = data.decode(self.encoding).encode()
            except (UnicodeError, LookupError):
                return data
        if self.carriage_returns and not (self.automatic and b"\0" in data):
            data = data.replace(b"\r\n", b"\n")
        return _IDENT.sub(b"$Id$", data) if self.ident else data


def check_in(store: GitStore, work_tree: str) -> str:
    """Return the tree that git keeps of the base's work tree; the same one if no file of it has other bytes there."""
    if store.run("grep", "-q", "-E", "-e", _CONVERTING, work_tree, "--", "*.gitattributes").code != 0:
        return work_tree
    rows = store.check("ls-tree", "-r", "-z", "--full-tree", work_tree).split(b"\0")
    files = [(row.split(b"\t", 1)[1].decode("utf-8", "surrogateescape"), row.split(b" ", 3)) for row in rows if row]
    entries = [(path, fields[0].decode(), fields[2][:40].decode()) for path, fields in files]
    tree = store.edit_tree(work_tree, _converted(store, work_tree, entries))
    if tree != work_tree:
        store.work_trees[tree] = work_tree
    return tree


def check_in_changes(store: GitStore, base: str, before: str, after: str) -> str:
    """Return `base`, which `check_in` made, with the changes between two other trees, as git would keep them."""
    changes = [(change.path, change.new_mode, change.new_blob) for change in store.changes(before, after)]
    converted = {entry[0]: entry for entry in _converted(store, base, changes)}
    return store.edit_tree(base, [converted.get(entry[0], entry) for entry in changes])


def conversions(store: GitStore, base: str, paths: Iterable[str]) -> dict[str, Conversion]:
    """Return how files of these paths are converted, by path; those that are not are left out."""
    given = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
    names = ("text", "eol", "working-tree-encoding", "ident")
    with store.index(base) as index:
        said = store.check("check-attr", "--cached", "-z", "--stdin", *names, stdin=given, index=index).split(b"\0")
    values: dict[str, dict[str, str]] = {}
    for file, name, value in zip(said[0::3], said[1::3], said[2::3], strict=False):
        values.setdefault(file.decode("utf-8", "surrogateescape"), {})[name.decode()] = value.decode()
    found = {}
    for path, attributes in values.items():
        text, encoding = attributes["text"], attributes["working-tree-encoding"]
        conversion = Conversion(
            encoding=None if encoding in ("unspecified", "unset", "set") else _codec(encoding),
            carriage_returns=attributes["eol"] == "crlf" and text != "unset",
            automatic=text == "auto",
            ident=attributes["ident"] == "set",
        )
        if conversion.encoding is not None or conversion.carriage_returns or conversion.ident:
            found[path] = conversion
    return found


def _converted(store: GitStore, base: str, entries: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return those of the entries (path, mode, blob) that git would keep with other bytes, with these."""
    files = {path: (mode, blob) for path, mode, blob in entries if mode in _FILES}
    changed = []
    for path, conversion in conversions(store, base, files).items():
        mode, blob = files[path]
        before = store.blob(blob)
        after = conversion.to_git(before)
        if after != before:
            changed.append((path, mode, store.write_blob(after)))
    return changed


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _codec(encoding: str) -> str:
    """Return Python's name of an encoding. Git's with a byte order mark have a suffix."""
    return "utf-16" if encoding.upper().startswith("UTF-16") and encoding.upper().endswith("-BOM") else encoding
