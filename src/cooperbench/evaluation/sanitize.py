"""Sanitize a submission: apply its patch to the base exactly, then restore what is not part of the work.

The rules look at trees, not at the text of the patch, so a patch cannot name one file to the rules and another to git. Only
paths that no tree can hold (outside of the work tree, git's own directory) are cut out of the text before.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from cooperbench.evaluation.check_in import check_in_changes
from cooperbench.evaluation.configuration import holds_unit_tests, is_mixed, restore_sections, restore_unit_tests
from cooperbench.evaluation.git import ABSENT, GitStore, TreeEntry
from cooperbench.evaluation.patches import join_patch, leaves_the_tree, repair_ending
from cooperbench.evaluation.reasons import Reason
from cooperbench.evaluation.rules import Rules
from cooperbench.evaluation.surroundings import Surroundings
from cooperbench.records import DropAction, DropRule
from cooperbench.records.patch_files import FilePatch, decode_path, split_patch

PATCH_LIMIT = 64 * 1024 * 1024
"""Bytes. A larger patch cannot be source code, and git would need several times as much memory for it."""

_SYMLINK, _SUBMODULE = "120000", "160000"
_IS_SUBMODULE = re.compile(rb"^(deleted file mode 160000|index [0-9a-f]+\.\.[0-9a-f]+ 160000)$", re.MULTILINE)
_A_SUBMODULE = Reason(DropRule.SUBMODULE, "submodule")
_OUTSIDE = Reason(DropRule.OUTSIDE, "outside of the work tree")
_IN_THE_WAY = Reason(DropRule.IN_THE_WAY, "stands where test files belong")
_CONFIGURATION_IN_IT = Reason(DropRule.TEST_CONFIGURATION, "test configuration in it")
_UNIT_TESTS_IN_IT = Reason(DropRule.UNIT_TESTS, "unit tests in it")


class Dropped(NamedTuple):
    """A part of a submission that was left out."""

    path: str
    reason: Reason
    action: DropAction


@dataclass(frozen=True)
class CleanSubmission:
    """A submission without what is not part of the work, as a tree."""

    tree: str | None
    """`None` if the patch does not apply to the base."""
    reason: str = ""
    """Git's message about a patch that does not apply."""
    dropped: tuple[Dropped, ...] = ()
    """Everything that was left out."""
    recounted: bool = False
    """True if wrong hunk counts had to be repaired."""


@dataclass
class _Edits:
    """Entries that are restored, and why."""

    entries: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    def restore(self, change: TreeEntry, reason: Reason) -> None:
        self.entries[change.path] = (change.old_mode, change.old_blob)
        action = DropAction.LEFT_OUT if change.old_mode == ABSENT[0] else DropAction.RESTORED
        self.dropped.append(Dropped(change.path, reason, action))

    def restore_part(self, path: str, mode: str, blob: str, reason: Reason) -> None:
        self.entries[path] = (mode, blob)
        self.dropped.append(Dropped(path, reason, DropAction.PARTLY_RESTORED))


def clean_submission(
    store: GitStore,
    base: str,
    patch: bytes,
    hidden: frozenset[str],
    *,
    recount: bool = False,
    surroundings: Surroundings | None = None,
) -> CleanSubmission:
    """Apply a patch to the base tree and leave out what the rules say; `hidden` are the paths of the hidden tests.

    With `recount` wrong hunk counts are repaired, and the submission is marked. Without `surroundings`, the rules go by names alone.
    Raises the classes below `SandboxError` if a rule has to know the image and cannot.
    """
    if len(patch) > PATCH_LIMIT:
        return CleanSubmission(None, f"the patch has {len(patch)} bytes; the limit is {PATCH_LIMIT}")
    parts = split_patch(repair_ending(patch))
    escaping = [part for part in parts if any(leaves_the_tree(path) for path in part.paths)]
    dropped = [Dropped(decode_path(part.paths[-1]), _OUTSIDE, DropAction.LEFT_OUT) for part in escaping]
    links = _unknown_submodules(store, base, parts)
    dropped += [Dropped(decode_path(part.paths[-1]), _A_SUBMODULE, DropAction.LEFT_OUT) for part in links]
    left_out = {*escaping, *links}
    text = join_patch([part for part in parts if part not in left_out]) if parts else patch
    if not text.strip():
        return CleanSubmission(base, dropped=tuple(dropped))
    tree, reason, recounted = _apply(store, base, text, recount)
    if tree is None:
        return CleanSubmission(None, reason, tuple(dropped))
    edits = _Restoration(store, base, tree, hidden, surroundings or Surroundings()).edits()
    cleaned = store.edit_tree(tree, [(path, mode, blob) for path, (mode, blob) in edits.entries.items()])
    return CleanSubmission(cleaned, "", (*dropped, *edits.dropped), recounted)


def apply_exactly(store: GitStore, base: str, patch: bytes) -> str | None:
    """Return the tree that a trusted patch (gold, hidden tests) makes of `base`, or `None` if it does not apply."""
    text = repair_ending(patch)
    parts = split_patch(text)
    links = _unknown_submodules(store, base, parts)
    if links:
        text = join_patch([part for part in parts if part not in links])
    return _apply(store, base, text, recount=True)[0] if text.strip() else base


def _unknown_submodules(store: GitStore, base: str, parts: Sequence[FilePatch]) -> list[FilePatch]:
    """List the parts that remove or move a submodule where the base has none: images have its files at best, and git refuses the patch."""
    found = [part for part in parts if _IS_SUBMODULE.search(part.data.split(b"\n@@", 1)[0])]
    if not found:
        return []
    known = {*store.check("ls-tree", "-r", "-z", "--name-only", base).split(b"\0")}
    return [part for part in found if part.paths[-1] not in known]


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
    tree, reason = store.apply(base, patch)
    if tree is None and recount:
        tree, _ = store.apply(base, patch, recount=True)
        return tree, "" if tree else reason, tree is not None
    return tree, reason, False


class _Restoration:
    """Finds what of a tree gets the base's content back."""

    def __init__(
        self, store: GitStore, base: str, tree: str, hidden: frozenset[str], surroundings: Surroundings
    ) -> None:
        self._store = store
        self._hidden = hidden
        self._changes = store.changes(base, tree)
        added = {change.path for change in self._changes if not change.deleted}
        in_base = _listing(store, base)
        rules = Rules(in_base, lambda path: path in added or in_base(path), surroundings)
        self._rules = rules if surroundings.protected else None
        self._edits = _Edits()

    def edits(self) -> _Edits:
        edits = self._edits
        for change in self._changes:
            reason = self._reason(change) or (_IN_THE_WAY if self._is_below_restored(change.path) else None)
            if reason:
                edits.restore(change, reason)
                continue
            if self._rules is not None:
                self._restore_configuration(change)
            if change.path in self._hidden and not change.deleted:
                self._restore_unit_tests(change)
        # What stands at the place of a folder that was put back has to go.
        folders = {str(parent) for path in edits.entries for parent in PurePosixPath(path).parents}
        for change in self._changes:
            if change.path in folders and change.path not in edits.entries:
                edits.restore(change, _IN_THE_WAY)
        return edits

    def _is_below_restored(self, path: str) -> bool:
        """Tell whether a file was put back where the submission has a folder with this path in it."""
        entries = self._edits.entries
        return any(entries.get(str(parent), ABSENT)[0] != ABSENT[0] for parent in PurePosixPath(path).parents)

    def _reason(self, change: TreeEntry) -> Reason | None:
        if change.path in self._hidden and not _is_source_with_tests(change):
            return Reason(DropRule.HIDDEN_TEST, "the hidden tests write this file")
        if any(path.startswith(f"{change.path}/") or change.path.startswith(f"{path}/") for path in self._hidden):
            return _IN_THE_WAY
        if change.new_mode == _SUBMODULE:
            return _A_SUBMODULE
        is_link = change.new_mode == _SYMLINK
        if is_link and _escapes(change.path, self._store.blob(change.new_blob)):
            return Reason(DropRule.LINK, "symbolic link out of the work tree")

        def content() -> bytes | None:
            return None if change.deleted or is_link else self._store.blob(change.new_blob)

        return self._rules.reason(change.path, content, is_link=is_link) if self._rules is not None else None

    def _restore_configuration(self, change: TreeEntry) -> None:
        if not is_mixed(change.path) or (change.deleted and change.path.endswith(".rs")):
            return
        store = self._store
        before = store.blob(change.old_blob) if change.old_mode not in (ABSENT[0], _SUBMODULE) else None
        after = None if change.deleted else store.blob(change.new_blob)
        restored = restore_sections(change.path, before, after)
        if restored is not None:
            mode = change.old_mode if change.deleted else change.new_mode
            self._edits.restore_part(change.path, mode, store.write_blob(restored), _CONFIGURATION_IN_IT)

    def _restore_unit_tests(self, change: TreeEntry) -> None:
        store = self._store
        restored = restore_unit_tests(store.blob(change.old_blob), store.blob(change.new_blob))
        if restored is not None:
            self._edits.restore_part(change.path, change.new_mode, store.write_blob(restored), _UNIT_TESTS_IN_IT)


def _listing(store: GitStore, tree: str) -> Callable[[str], bool]:
    """Return a function that tells whether a tree has a file or folder. The tree is read once, when it is first asked."""
    paths: set[str] = set()

    def is_there(path: str) -> bool:
        if not paths:
            listed = store.check("ls-tree", "-r", "-t", "-z", "--name-only", tree)
            paths.update(listed.decode("utf-8", "surrogateescape").split("\0"))
        return path in paths

    return is_there


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


def _is_source_with_tests(change: TreeEntry) -> bool:
    files = ("100644", "100755")
    return change.old_mode in files and change.new_mode in files and holds_unit_tests(change.path)
