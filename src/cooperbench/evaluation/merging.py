"""Merge the members' work with git's own three-way merge, one after the other, without a work tree."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cooperbench.errors import EvaluationError
from cooperbench.evaluation.conflict_sides import with_sides
from cooperbench.evaluation.git import GitStore
from cooperbench.records import Conflict, MergeStep, StageStatus

_START, _END = b"<<<<<<< ", b">>>>>>> "
_MERGE_ATTRIBUTES = re.compile(rb"^(-?merge|merge=(union|binary|text)|binary)$")


@dataclass(frozen=True)
class Merged:
    """The result of merging all members."""

    status: StageStatus
    tree: str | None
    """The merged tree; with conflict markers in it when the last step conflicts."""
    steps: tuple[MergeStep, ...]
    started_at: datetime | None = None
    ended_at: datetime | None = None


def natural_order(agent_id: str) -> tuple[str | int, ...]:
    """Return a sort key that puts `agent2` before `agent10`; members are merged in this order."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", agent_id))


Settle = Callable[[str, tuple[Conflict, ...]], str | None]
"""Takes a tree with conflict markers and the conflicts, and returns a settled tree or `None`."""


def merge_members(
    store: GitStore, base: str, trees: Mapping[str, str], *, union: bool = False, settle: Settle | None = None
) -> Merged:
    """Merge the members' trees, by their agent ids, in natural order. With `union` both sides of a conflicting region are kept.

    Stops at the first step that conflicts and that `settle`, if given, cannot settle.
    """
    attributes = _attributes(store, base, union)
    root = store.commit(base)
    merged, tree = root, base
    steps: list[MergeStep] = []
    seen: list[str] = []
    merged_from: list[str] = []
    for agent_id in sorted(trees, key=natural_order):
        work = trees[agent_id]
        if work == base:
            steps.append(MergeStep(agent_id=agent_id, status=StageStatus.EMPTY))
            continue
        commit = store.commit(work, root)
        result, conflicts = merge_commits(store, merged, commit, attributes) if seen else (work, ())
        if conflicts:
            changes = {other: store.changes(base, trees[other]) for other in merged_from}
            conflicts = with_sides(store, (merged, commit), conflicts, attributes, changes, agent_id)
        settled = settle(result, conflicts) if settle and conflicts else None
        unsettled = bool(conflicts) and settled is None
        status = StageStatus.CONFLICT if unsettled else StageStatus.CLEAN
        before, tree = tree, settled or result
        relation = ("identical" if work in seen else "contained") if seen and tree == before else None
        steps.append(MergeStep(agent_id=agent_id, status=status, conflicts=conflicts, relation=relation))
        if unsettled:
            return Merged(status, tree, tuple(steps))
        merged = store.commit(tree, merged, commit) if seen else commit
        seen.append(work)
        merged_from.append(agent_id)
    return Merged(StageStatus.CLEAN if seen else StageStatus.EMPTY, tree if seen else None, tuple(steps))


def merge_commits(
    store: GitStore, ours: str, theirs: str, attributes: Path | None = None
) -> tuple[str, tuple[Conflict, ...]]:
    """Merge two commits, and return the tree with its conflicts. Raises `EvaluationError`."""
    output = store.run(
        "merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", ours, theirs, attributes=attributes
    )
    if output.code not in (0, 1):
        raise EvaluationError(f"git merge-tree failed: {output.stderr or output.code}", subject=str(store.repository))
    fields = output.stdout.split(b"\0")
    tree = fields[0].decode()
    if output.code == 0:
        return tree, ()
    end = fields.index(b"", 1)
    paths = dict.fromkeys(_text(entry.split(b"\t", 1)[1]) for entry in fields[1:end])
    kinds = _conflict_kinds(fields[end + 1 :])
    for path in kinds:
        paths.setdefault(path)
    return tree, tuple(
        Conflict(path=path, kind=kinds.get(path, "content"), regions=_regions(store, tree, path))
        for path in sorted(paths)
    )


def _conflict_kinds(fields: list[bytes]) -> dict[str, str]:
    """Read the messages of `merge-tree -z`: number of paths, the paths, a stable type, the text for people."""
    kinds: dict[str, str] = {}
    position = 0
    while position < len(fields) and fields[position].isdigit():
        count = int(fields[position])
        paths = fields[position + 1 : position + 1 + count]
        kind, text = fields[position + 1 + count], fields[position + 2 + count]
        position += count + 3
        if kind.startswith(b"CONFLICT"):
            name = re.search(rb"CONFLICT \(([^)]+)\)", text)
            kinds[_text(paths[0])] = (name.group(1) if name else kind).decode()
    return kinds


def _regions(store: GitStore, tree: str, path: str) -> tuple[tuple[int, int], ...]:
    output = store.run("cat-file", "blob", f"{tree}:{path}")
    regions: list[tuple[int, int]] = []
    start = 0
    for number, line in enumerate(output.stdout.split(b"\n") if output.code == 0 else [], start=1):
        if line.startswith(_START):
            start = number
        elif line.startswith(_END) and start:
            regions.append((start, number))
            start = 0
    return tuple(regions)


def _attributes(store: GitStore, base: str, union: bool) -> Path:
    """Write the merge attributes: the base's own built-in ones, or union for everything."""
    path = store.scratch / ("union.attributes" if union else "naive.attributes")
    if not path.exists():
        lines = []
        if union:
            lines.append(b"* merge=union")
        output = store.run("cat-file", "blob", f"{base}:.gitattributes")
        for line in output.stdout.splitlines() if output.code == 0 else []:
            pattern, *words = line.split() or [b"#"]
            kept = [word for word in words if _MERGE_ATTRIBUTES.match(word)]
            if kept and not pattern.startswith(b"#"):
                lines.append(b" ".join([pattern, *kept]))
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def _text(path: bytes) -> str:
    # Records are UTF-8: what is not becomes U+FFFD in what people read.
    return path.decode("utf-8", "replace")
