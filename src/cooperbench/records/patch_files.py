"""Split a patch into the parts that belong to one file each.

A patch is read as bytes, never decoded or normalised. Understands what git writes (quoted names, renames, copies, mode changes,
binary) and plain unified diffs, and reads anything at all without failing. `git apply --numstat` says the same of patches that
git accepts, which a test compares, but nothing of others, which agents submit as well, and takes 2.4 ms for what takes 0.03 ms here.
"""

import re
from typing import NamedTuple

_HUNK = re.compile(rb"^@@ -\d+(?:,(\d{1,15}))? \+\d+(?:,(\d{1,15}))? @@")
_OCTAL = re.compile(rb"[0-3][0-7]{2}")
_ESCAPES = {ord(c): v for c, v in zip('abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True)}


class FilePatch(NamedTuple):
    """The part of a patch that changes one file."""

    old: bytes | None
    """Path before, without `a/`; `None` for a new file."""
    new: bytes | None
    """Path after, without `b/`; `None` for a deleted file."""
    data: bytes
    """The part itself, headers included."""
    lines: int
    """Added plus removed lines; none of a binary file."""

    @property
    def paths(self) -> tuple[bytes, ...]:
        """Every path that it names."""
        return tuple(dict.fromkeys(path for path in (self.old, self.new) if path is not None))


def split_patch(patch: bytes) -> list[FilePatch]:
    """Split a patch into its files, in order. Text before the first one is left out.

    A file begins with `diff --git`, or outside of a hunk with `--- ` and `+++ `.
    """
    lines = patch.split(b"\n")  # nothing else ends a line: a carriage return is content
    starts: list[int] = []
    changed: list[int] = []
    old = new = 0  # lines that belong to the hunk and are still to come
    in_header = False
    for number, (line, following) in enumerate(zip(lines, [*lines[1:], b""], strict=True)):
        mark = line[:1]
        if line.startswith(b"diff --git "):
            starts.append(number)
            changed.append(0)
            old = new = 0
            in_header = True
        elif old > 0 or new > 0:
            changed[-1] += mark in (b"+", b"-")
            old -= mark in (b"-", b" ", b"", b"\r")
            new -= mark in (b"+", b" ", b"", b"\r")
        elif starts and (hunk := _HUNK.match(line)):
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())
            in_header = False
        elif line.startswith(b"--- ") and following.startswith(b"+++ "):
            if not in_header:
                starts.append(number)
                changed.append(0)
            in_header = False
    ends = [*starts, len(lines)][1:]
    return [
        _read_part(b"\n".join(lines[start:end]) + (b"\n" if end < len(lines) else b""), count)
        for start, end, count in zip(starts, ends, changed, strict=True)
    ]


def decode_path(path: bytes) -> str:
    """Decode a path. Bytes that are not UTF-8 become lone surrogates, which encode to the same bytes again."""
    return path.decode("utf-8", "surrogateescape")


def _read_part(data: bytes, changed: int) -> FilePatch:
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
    return FilePatch(None if created else old, None if deleted else new, data, changed)


def _name_of_line(text: bytes, known: bytes | None, absent: bool) -> tuple[bytes | None, bool]:
    # Git ends names that hold spaces with a tab.
    name = _unquote(text[: _closing_quote(text) + 1]) if text.startswith(b'"') else text.split(b"\t")[0]
    if name == b"/dev/null":
        return known, True
    return _strip_prefix(name), absent


def _names_of_header(text: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the two names of a `diff --git` line. Unquoted names with spaces are told apart because both are the same."""
    if text.startswith(b'"'):
        end = _closing_quote(text)
        return _strip_prefix(_unquote(text[: end + 1])), _strip_prefix(_unquote(text[end + 2 :]))
    if text.endswith(b'"') and b' "' in text:
        first, _, second = text.partition(b' "')
        return _strip_prefix(first), _strip_prefix(_unquote(b'"' + second))
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
        elif octal := _OCTAL.match(body, position + 1):
            out.append(int(octal.group(), 8))
            position += 4
        else:
            out.append(_ESCAPES.get(body[position + 1], body[position + 1]))
            position += 2
    return bytes(out)
