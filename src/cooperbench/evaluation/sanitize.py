"""Sanitize a submission: apply its patch to the base exactly, then restore what is not part of the work.

The rules look at trees, not at the text of the patch, so a patch cannot name one file to the rules and another to git. Only
paths that no tree can hold (outside of the work tree, git's own directory) are cut out of the text before.
"""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cooperbench.evaluation.check_in import check_in_changes
from cooperbench.evaluation.configuration import holds_unit_tests, is_mixed, restore_sections, restore_unit_tests
from cooperbench.evaluation.git import ABSENT, GitStore, TreeEntry
from cooperbench.evaluation.patches import join_patch, leaves_the_tree, repair_ending
from cooperbench.evaluation.rules import reason_to_drop
from cooperbench.records.patch_files import decode_path, split_patch

PATCH_LIMIT = 64 * 1024 * 1024
"""Bytes. A larger patch cannot be source code, and git would need several times as much memory for it."""

_SYMLINK, _SUBMODULE = "120000", "160000"


@dataclass(frozen=True)
class CleanSubmission:
    """A submission without what is not part of the work, as a tree."""

    tree: str | None
    """`None` if the patch does not apply to the base."""
    reason: str = ""
    """Git's message about a patch that does not apply."""
    dropped: tuple[tuple[str, str], ...] = ()
    """Path and reason of everything that was left out."""
    recounted: bool = False
    """True if wrong hunk counts had to be repaired."""


@dataclass
class _Edits:
    """Entries that are restored, and why."""

    entries: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def restore(self, change: TreeEntry, reason: str) -> None:
        self.entries[change.path] = (change.old_mode, change.old_blob)
        self.dropped.append((change.path, reason))


def clean_submission(
    store: GitStore, base: str, patch: bytes, hidden: frozenset[str], *, recount: bool = False
) -> CleanSubmission:
    """Apply a patch to the base tree and leave out what the rules say; `hidden` are the paths of the hidden tests.

    With `recount` wrong hunk counts are repaired, and the submission is marked.
    """
    if len(patch) > PATCH_LIMIT:
        return CleanSubmission(None, f"the patch has {len(patch)} bytes; the limit is {PATCH_LIMIT}")
    parts = split_patch(repair_ending(patch))
    escaping = [part for part in parts if any(leaves_the_tree(path) for path in part.paths)]
    dropped = [(decode_path(part.paths[-1]), "outside of the work tree") for part in escaping]
    applicable = [part for part in parts if part not in escaping] if escaping else parts
    text = join_patch(applicable) if parts else patch
    if not text.strip():
        return CleanSubmission(base, dropped=tuple(dropped))
    tree, reason, recounted = _apply(store, base, text, recount)
    if tree is None:
        return CleanSubmission(None, reason, tuple(dropped))
    edits = _restore(store, base, tree, hidden)
    cleaned = store.edit_tree(tree, [(path, mode, blob) for path, (mode, blob) in edits.entries.items()])
    return CleanSubmission(cleaned, "", (*dropped, *edits.dropped), recounted)


def apply_exactly(store: GitStore, base: str, patch: bytes) -> str | None:
    """Return the tree that a trusted patch (gold, hidden tests) makes of `base`, or `None` if it does not apply."""
    return _apply(store, base, repair_ending(patch), recount=True)[0] if patch.strip() else base


def _apply(store: GitStore, base: str, patch: bytes, recount: bool) -> tuple[str | None, str, bool]:
    """Apply a patch that git made of what it keeps, or one of the bytes in the work tree."""
    tree, reason, recounted = _apply_to(store, base, patch, recount)
    work_tree = store.work_trees.get(base)
    if work_tree is None:
        return tree, reason, recounted
    before = base
    if tree is None:
        before = work_tree
        tree, _, recounted = _apply_to(store, work_tree, patch, recount)
    return (None if tree is None else check_in_changes(store, base, before, tree)), reason, recounted


def _apply_to(store: GitStore, base: str, patch: bytes, recount: bool) -> tuple[str | None, str, bool]:
    reason = ""
    for options in ((), ("--recount",)) if recount else ((),):
        with store.index(base) as index:
            output = store.run("apply", "--cached", "--whitespace=nowarn", *options, "-", stdin=patch, index=index)
            if output.code == 0:
                return store.check("write-tree", index=index).decode().strip(), "", bool(options)
            message = output.stderr or f"git apply ended with exit code {output.code}"
            reason = reason or message.splitlines()[0].removeprefix("error: ")
    return None, reason, False


def _restore(store: GitStore, base: str, tree: str, hidden: frozenset[str]) -> _Edits:
    edits = _Edits()
    changes = store.changes(base, tree)
    for change in changes:
        reason = _reason(store, base, change, hidden)
        if reason:
            edits.restore(change, reason)
        elif not change.deleted:
            _restore_configuration(store, change, edits)
            if change.path in hidden:
                _restore_unit_tests(store, change, edits)
    # What stands at the place of a folder that was put back has to go.
    folders = {str(parent) for path in edits.entries for parent in PurePosixPath(path).parents}
    for change in changes:
        if change.path in folders and change.path not in edits.entries:
            edits.restore(change, "stands where test files belong")
    return edits


def _reason(store: GitStore, base: str, change: TreeEntry, hidden: frozenset[str]) -> str | None:
    if change.path in hidden and not _is_source_with_tests(change):
        return "the hidden tests write this file"
    if any(path.startswith(f"{change.path}/") or change.path.startswith(f"{path}/") for path in hidden):
        return "stands where test files belong"
    if change.new_mode == _SUBMODULE:
        return "submodule"
    if change.new_mode == _SYMLINK and _escapes(change.path, store.blob(change.new_blob)):
        return "symbolic link out of the work tree"

    def content() -> bytes | None:
        return None if change.deleted or change.new_mode == _SYMLINK else store.blob(change.new_blob)

    return reason_to_drop(change.path, content, lambda path: store.has(base, path))


def _escapes(path: str, target: bytes) -> bool:
    text = decode_path(target)
    if text.startswith("/"):
        return True
    depth = len(PurePosixPath(path).parts) - 1
    for part in PurePosixPath(text).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _restore_configuration(store: GitStore, change: TreeEntry, edits: _Edits) -> None:
    if not is_mixed(change.path):
        return
    before = store.blob(change.old_blob) if change.old_mode != ABSENT[0] and change.old_mode != _SUBMODULE else None
    restored = restore_sections(change.path, before, store.blob(change.new_blob))
    if restored is not None:
        edits.entries[change.path] = (change.new_mode, store.write_blob(restored))
        edits.dropped.append((change.path, "test configuration in it"))


def _is_source_with_tests(change: TreeEntry) -> bool:
    files = ("100644", "100755")
    return change.old_mode in files and change.new_mode in files and holds_unit_tests(change.path)


def _restore_unit_tests(store: GitStore, change: TreeEntry, edits: _Edits) -> None:
    restored = restore_unit_tests(store.blob(change.old_blob), store.blob(change.new_blob))
    if restored is not None:
        edits.entries[change.path] = (change.new_mode, store.write_blob(restored))
        edits.dropped.append((change.path, "unit tests in it"))
