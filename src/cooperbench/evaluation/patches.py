"""Reading patches as bytes: which files a patch touches, and which of its parts cannot be applied anywhere.

A patch is never decoded and never normalised. What decides about the content of a submission is the tree that git makes of it
(`merging`); this module only splits a patch into the parts that belong to one file each. It understands what git writes
(quoted names, renames, copies, mode changes, binary) and plain unified diffs.
"""

import re
from typing import NamedTuple

_HUNK = re.compile(rb"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ESCAPES = {ord(c): v for c, v in zip('abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True)}


class FilePatch(NamedTuple):
    """The part of a patch that changes one file."""

    old: bytes | None
    """Path before, without `a/`; `None` for a new file."""
    new: bytes | None
    """Path after, without `b/`; `None` for a deleted file."""
    data: bytes
    """The part itself, headers included."""

    @property
    def paths(self) -> tuple[bytes, ...]:
        """Every path it names."""
        return tuple(dict.fromkeys(path for path in (self.old, self.new) if path is not None))


def split_patch(patch: bytes) -> list[FilePatch]:
    """Split a patch into its files, in order. Text before the first one is left out."""
    parts: list[FilePatch] = []
    start = -1
    for number in _starts(patch):
        if start >= 0:
            parts.append(_read_part(patch[start:number]))
        start = number
    if start >= 0:
        parts.append(_read_part(patch[start:]))
    return parts


def join_patch(parts: list[FilePatch]) -> bytes:
    """Put parts together again."""
    return b"".join(part.data for part in parts)


def touched_paths(patch: bytes) -> frozenset[str]:
    """Every path that a patch names, before and after a renaming; not UTF-8 as surrogates."""
    return frozenset(decode_path(path) for part in split_patch(patch) for path in part.paths)


def decode_path(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become lone surrogates and survive the way back."""
    return path.decode("utf-8", "surrogateescape")


def leaves_the_tree(path: bytes) -> bool:
    """Whether a path is absolute, climbs out of the work tree, or lies in git's own directory."""
    components = path.split(b"/")
    return path.startswith(b"/") or any(c == b".." or _is_git_directory(c) for c in components)


def changed_lines(patch: bytes) -> int:
    """Added plus removed lines."""
    count = 0
    old = new = 0
    for line in patch.splitlines():
        hunk = _HUNK.match(line)
        if hunk and old <= 0 and new <= 0:
            old, new = (int(n) if n is not None else 1 for n in hunk.groups())
        elif old > 0 or new > 0:
            count += line[:1] in (b"+", b"-")
            old -= line[:1] in (b"-", b" ", b"")
            new -= line[:1] in (b"+", b" ", b"")
    return count


def repair_ending(patch: bytes) -> bytes:
    """Give the last line its newline. Agents strip the text of a diff, and git calls such a patch corrupt."""
    return patch if not patch or patch.endswith(b"\n") else patch + b"\n"


def _is_git_directory(component: bytes) -> bool:
    # What git itself refuses: also `.GIT`, `.git ` and `git~1`, which other file systems take for `.git`.
    return component.lower().rstrip(b" .") in (b".git", b"git~1")


def _starts(patch: bytes) -> list[int]:
    """Where a new file begins: `diff --git`, or `--- ` and `+++ ` outside of a hunk."""
    starts: list[int] = []
    old = new = 0
    header = False
    position = 0
    lines = patch.splitlines(keepends=True) if b"\r" not in patch else _split_lines(patch)
    for number, line in enumerate(lines):
        if line.startswith(b"diff --git "):
            starts.append(position)
            old = new = 0
            header = True
        elif old > 0 or new > 0:
            old -= line[:1] in (b"-", b" ", b"\n", b"\r")
            new -= line[:1] in (b"+", b" ", b"\n", b"\r")
        elif hunk := _HUNK.match(line):
            old, new = (int(n) if n is not None else 1 for n in hunk.groups())
            header = False
        elif line.startswith(b"--- ") and lines[number + 1 : number + 2] and lines[number + 1].startswith(b"+++ "):
            if not header:
                starts.append(position)
            header = False
        position += len(line)
    return starts


def _split_lines(patch: bytes) -> list[bytes]:
    """Lines ended by a newline only: a carriage return inside a line is content."""
    lines = patch.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _read_part(data: bytes) -> FilePatch:
    old: bytes | None = None
    new: bytes | None = None
    created = deleted = False
    lines = data.split(b"\n")
    if lines[0].startswith(b"diff --git "):
        old, new = _names_of_header(lines[0][len(b"diff --git ") :].rstrip(b"\r"))
    for line in lines:
        word = line.rstrip(b"\r")
        if line.startswith((b"@@ ", b"GIT binary patch")):
            break
        if word.startswith(b"new file mode"):
            created = True
        elif word.startswith(b"deleted file mode"):
            deleted = True
        elif word.startswith((b"rename from ", b"copy from ")):
            old = _unquote(word.split(b" from ", 1)[1])
        elif word.startswith((b"rename to ", b"copy to ")):
            new = _unquote(word.split(b" to ", 1)[1])
        elif word.startswith(b"--- "):
            old, created = _name_of_line(word[4:], old, created)
        elif word.startswith(b"+++ "):
            new, deleted = _name_of_line(word[4:], new, deleted)
    return FilePatch(None if created else old, None if deleted else new, data)


def _name_of_line(text: bytes, known: bytes | None, absent: bool) -> tuple[bytes | None, bool]:
    # Git ends names that hold spaces with a tab.
    name = _unquote(text[: _closing_quote(text) + 1]) if text.startswith(b'"') else text.split(b"\t")[0]
    if name == b"/dev/null":
        return known, True
    return _strip_prefix(name), absent


def _names_of_header(text: bytes) -> tuple[bytes | None, bytes | None]:
    """The two names of a `diff --git` line. Unquoted names with spaces are told apart because both are the same."""
    if text.startswith(b'"'):
        end = _closing_quote(text)
        return _strip_prefix(_unquote(text[: end + 1])), _strip_prefix(_unquote(text[end + 2 :]))
    if text.endswith(b'"'):
        start = text.index(b' "')
        return _strip_prefix(text[:start]), _strip_prefix(_unquote(text[start + 1 :]))
    half = len(text) // 2
    if _strip_prefix(text[:half]) == _strip_prefix(text[half + 1 :]) and text[half : half + 1] == b" ":
        return _strip_prefix(text[:half]), _strip_prefix(text[half + 1 :])
    first, _, second = text.partition(b" ")
    return _strip_prefix(first), _strip_prefix(second)


def _strip_prefix(name: bytes) -> bytes:
    return name[2:] if name[:2] in (b"a/", b"b/") else name


def _closing_quote(text: bytes) -> int:
    position = 1
    while position < len(text) and text[position : position + 1] != b'"':
        position += 2 if text[position : position + 1] == b"\\" else 1
    return position


def _unquote(name: bytes) -> bytes:
    """Undo git's C-style quoting; a name without quotes is returned as it is."""
    if not (len(name) >= 2 and name.startswith(b'"') and name.endswith(b'"')):
        return name
    out = bytearray()
    body = name[1:-1]
    position = 0
    while position < len(body):
        byte = body[position]
        if byte != 0x5C or position + 1 >= len(body):
            out.append(byte)
            position += 1
        elif octal := re.match(rb"[0-3][0-7]{2}", body[position + 1 :]):
            out.append(int(octal.group(), 8))
            position += 4
        else:
            out.append(_ESCAPES.get(body[position + 1], body[position + 1]))
            position += 2
    return bytes(out)
