"""Which patch counts as a member's submission, and what is wrong with it.

The agent's own patch is honoured; the harness's capture of the work tree stands in when there is none. Agents commonly strip
a diff they return (the published example does), which takes the final newline that `git apply` needs and may take white
space that belongs to the change: such a patch is recognised by comparing it with the capture, and the capture, which is
exact, is used in its place.
"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from cooperbench.records import PatchFinding, PatchSource

_HUGE_FILE = 1 << 20
_CACHES = frozenset(
    {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", ".tox", ".venv", ".hypothesis"}
)
_HEADER = re.compile(rb'^diff --git "?a/.*? "?b/(.*?)"?$')
_MARKER = re.compile(rb"^\+(<<<<<<< |>>>>>>> |\|\|\|\|\|\|\| )")


class Choice(NamedTuple):
    """The bytes that were chosen, and where they come from."""

    patch: bytes
    source: PatchSource


def choose_patch(returned: bytes, captured: bytes) -> Choice:
    """Choose between what the agent returned and what the harness captured."""
    if not returned.strip():
        return Choice(captured, PatchSource.CAPTURED) if captured.strip() else Choice(b"", PatchSource.NONE)
    if _without_spaces(returned) == _without_spaces(captured):
        return Choice(captured, PatchSource.AGENT)
    return Choice(returned if returned.endswith(b"\n") else returned + b"\n", PatchSource.AGENT)


def _without_spaces(patch: bytes) -> bytes:
    # `index` lines differ in how many digits git was asked for, and say nothing about the change.
    lines = (line for line in patch.split(b"\n") if not line.startswith(b"index "))
    return b"".join(b"".join(lines).split())


def changed_lines(patch: bytes) -> int:
    """Added plus removed lines."""
    count = 0
    in_hunk = False
    for line in patch.split(b"\n"):
        if line.startswith(b"diff --git "):
            in_hunk = False
        elif line.startswith(b"@@"):
            in_hunk = True
        elif in_hunk and line[:1] in (b"+", b"-"):
            count += 1
    return count


def lint(patch: bytes) -> tuple[PatchFinding, ...]:
    """What does not belong into a submission. Findings are recorded; the patch is handed in as it is."""
    findings: list[PatchFinding] = []
    for path, body in _files(patch):
        name = PurePosixPath(path)
        if name.suffix in (".rej", ".orig"):
            findings.append(PatchFinding(path=path, kind="merge_leftover", detail=name.suffix))
        if cache := _CACHES.intersection(name.parts):
            findings.append(PatchFinding(path=path, kind="cache", detail=min(cache)))
        elif name.suffix == ".pyc":
            findings.append(PatchFinding(path=path, kind="cache", detail=".pyc"))
        if any(_MARKER.match(line) for line in body):
            findings.append(PatchFinding(path=path, kind="conflict_marker"))
        size = sum(len(line) for line in body)
        if size > _HUGE_FILE:
            findings.append(PatchFinding(path=path, kind="huge_file", detail=f"{size} bytes of patch"))
    return tuple(findings)


def _files(patch: bytes) -> list[tuple[str, list[bytes]]]:
    files: list[tuple[str, list[bytes]]] = []
    for line in patch.split(b"\n"):
        if header := _HEADER.match(line):
            files.append((header[1].decode("utf-8", "backslashreplace"), []))
        elif files:
            files[-1][1].append(line)
    return files
