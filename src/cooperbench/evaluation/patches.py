"""Say of a patch what it changes and what in it does not belong there.

What decides about the content of a submission is the tree that git makes of it (`sanitize`); this module only describes.
"""

import hashlib
import re
from pathlib import PurePosixPath

from cooperbench.records import PatchFinding, PatchSource, Submission
from cooperbench.records.patch_files import FilePatch, decode_path, split_patch

_HUGE_FILE = 1 << 20
_CACHES = frozenset(
    {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules", ".tox", ".venv", ".hypothesis"}
)
_CONFLICT_MARKER = re.compile(rb"^\+(<<<<<<< |>>>>>>> |\|\|\|\|\|\|\| )", re.MULTILINE)


def join_patch(parts: list[FilePatch]) -> bytes:
    """Join parts of a patch."""
    return b"".join(part.data for part in parts)


def touched_paths(patch: bytes) -> frozenset[str]:
    """Return every path that a patch names, before and after a renaming."""
    return frozenset(decode_path(path) for part in split_patch(patch) for path in part.paths)


def leaves_the_tree(path: bytes) -> bool:
    """Tell whether a path is absolute, climbs out of the work tree, or lies in git's own directory."""
    components = path.split(b"/")
    return path.startswith(b"/") or any(c == b".." or _is_git_directory(c) for c in components)


def changed_lines(patch: bytes) -> int:
    """Count added plus removed lines."""
    return sum(part.lines for part in split_patch(patch))


def lint(patch: bytes) -> tuple[PatchFinding, ...]:
    """Find what does not belong into a submission. Findings are recorded; the patch is used as it is."""
    findings: list[PatchFinding] = []
    for part in split_patch(patch):
        path = (part.new or part.old or b"").decode("utf-8", "backslashreplace")
        name = PurePosixPath(path)
        if name.suffix in (".rej", ".orig"):
            findings.append(PatchFinding(path=path, kind="merge_leftover", detail=name.suffix))
        if cache := _CACHES.intersection(name.parts):
            findings.append(PatchFinding(path=path, kind="cache", detail=min(cache)))
        elif name.suffix == ".pyc":
            findings.append(PatchFinding(path=path, kind="cache", detail=".pyc"))
        if _CONFLICT_MARKER.search(part.data):
            findings.append(PatchFinding(path=path, kind="conflict_marker"))
        if len(part.data) > _HUGE_FILE:
            findings.append(PatchFinding(path=path, kind="huge_file", detail=f"{len(part.data)} bytes of patch"))
    return tuple(findings)


def make_submission(
    agent_id: str,
    features: tuple[int, ...],
    patch: bytes,
    *,
    file: str = "",
    source: PatchSource = PatchSource.AGENT,
    base_tree: str | None = None,
    skipped: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
    findings: tuple[PatchFinding, ...] = (),
) -> Submission:
    """Describe a patch as the submission of a member. `findings` are those about the work tree that it comes from."""
    return Submission(
        agent_id=agent_id,
        features=features,
        file=file,
        sha256=hashlib.sha256(patch).hexdigest(),
        bytes=len(patch),
        lines=changed_lines(patch),
        source=source,
        base_tree=base_tree,
        findings=(*findings, *lint(patch)),
        skipped=skipped,
        ignored=ignored,
    )


def repair_ending(patch: bytes) -> bytes:
    """Give the last line its newline. Agents strip the text of a diff, and git calls such a patch corrupt."""
    return patch if not patch or patch.endswith(b"\n") else patch + b"\n"


def _is_git_directory(component: bytes) -> bool:
    # What git itself refuses: also `.GIT`, `.git ` and `git~1`, which other file systems take for `.git`.
    return component.lower().rstrip(b" .") in (b".git", b"git~1")
