"""Split a patch into its hunks, with the lines that each one changes."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from cooperbench.records.patch_files import FilePatch, decode_path, split_patch

_HEADER = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$", re.DOTALL)


class Hunk(NamedTuple):
    """One hunk of a patch; a change without text, such as a binary file or a new mode, counts as one hunk."""

    path: str
    """After the change; before it for a deleted file."""
    head: bytes
    """The header of the file; the whole change where there is no text."""
    body: bytes
    """The hunk with its `@@` line."""
    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    heading: bytes
    """What git writes behind the second `@@`: usually the line that begins the function."""
    removed: tuple[bytes, ...]
    """Lines taken away, without their `-`."""
    added: tuple[bytes, ...]
    """Lines put in, without their `+`."""

    @property
    def data(self) -> bytes:
        """The hunk as a patch of its own."""
        return self.head + self.body

    @property
    def changed(self) -> tuple[bytes, ...]:
        """Removed and added lines that have more than blanks in them, with their sign."""
        lines = (*((b"-", line) for line in self.removed), *((b"+", line) for line in self.added))
        return tuple(sign + line.strip() for sign, line in lines if line.strip())


def split_hunks(patch: bytes) -> list[Hunk]:
    """Split a patch into hunks, in order."""
    return [hunk for part in split_patch(patch) for hunk in _hunks_of(part)]


def without_context(hunk: Hunk) -> list[Hunk]:
    """Split a hunk where lines stay the same, as `git diff -U0` would. One without text is returned as it is."""
    if not hunk.body:
        return [hunk]
    pieces: list[Hunk] = []
    old, new = hunk.old_start + (hunk.old_lines == 0), hunk.new_start + (hunk.new_lines == 0)
    run: list[bytes] = []
    for line in [*hunk.body.split(b"\n")[1:], b" "]:
        if line[:1] in (b"-", b"+", b"\\"):
            run.append(line)
            continue
        if any(each[:1] != b"\\" for each in run):
            pieces.append(_piece(hunk, run, old, new))
            old += pieces[-1].old_lines
            new += pieces[-1].new_lines
        run = []
        old, new = old + 1, new + 1
    return pieces


def _piece(hunk: Hunk, run: list[bytes], old: int, new: int) -> Hunk:
    removed = tuple(line[1:] for line in run if line.startswith(b"-"))
    added = tuple(line[1:] for line in run if line.startswith(b"+"))
    old, new = old - (not removed), new - (not added)
    header = b"@@ -%d,%d +%d,%d @@ %s" % (old, len(removed), new, len(added), hunk.heading)
    body = b"".join(line + b"\n" for line in [header.rstrip(), *run])
    return Hunk(hunk.path, hunk.head, body, old, len(removed), new, len(added), hunk.heading, removed, added)


def join_hunks(hunks: Sequence[Hunk], left_out: Collection[int] = ()) -> bytes:
    """Join the hunks of a patch again without those at some positions. Line numbers move by what is left out before them."""
    parts: list[bytes] = []
    head, shift = b"", 0
    for position, hunk in enumerate(hunks):
        if position == 0 or hunk.head != hunks[position - 1].head:
            head, shift = hunk.head, 0
        if position in left_out:
            shift += hunk.old_lines - hunk.new_lines
            continue
        parts.append(head + _move(hunk, shift))
        head = b""
    return b"".join(parts)


def _move(hunk: Hunk, shift: int) -> bytes:
    if not shift or not hunk.body:
        return hunk.body
    old, new = b"%d,%d" % (hunk.old_start, hunk.old_lines), b"%d,%d" % (hunk.new_start + shift, hunk.new_lines)
    return b"@@ -%s +%s @@\n" % (old, new) + hunk.body.partition(b"\n")[2]


def _hunks_of(part: FilePatch) -> list[Hunk]:
    path = decode_path(part.new or part.old or b"")
    lines = part.data.split(b"\n")
    # A line of content never looks like a header: it begins with a sign or a blank.
    headers = {number: found for number, line in enumerate(lines) if (found := _HEADER.match(line))}
    if not headers:
        return [Hunk(path, part.data, b"", 0, 0, 0, 0, b"", (), ())]
    starts = list(headers)
    head = b"\n".join(lines[: starts[0]]) + b"\n"
    bodies = (lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True))
    return [
        _read(path, head, found, body, last=number == starts[-1])
        for (number, found), body in zip(headers.items(), bodies, strict=True)
    ]


def _read(path: str, head: bytes, header: re.Match[bytes], body: list[bytes], *, last: bool) -> Hunk:
    old_start, old_lines, new_start, new_lines, heading = header.groups()
    return Hunk(
        path,
        head,
        b"\n".join(body) + (b"" if last else b"\n"),
        int(old_start),
        int(old_lines or 1),
        int(new_start),
        int(new_lines or 1),
        heading.rstrip(),
        removed=tuple(line[1:] for line in body[1:] if line.startswith(b"-")),
        added=tuple(line[1:] for line in body[1:] if line.startswith(b"+")),
    )
