"""Say of each conflict whose work it is, and what base and both sides say in each region.

Git is asked to merge once more, in the style that also shows the base; the merged work itself stays in the usual style.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cooperbench.evaluation.git import GitStore, TreeEntry
from cooperbench.records import Conflict, ConflictSides

MOST_REGIONS = 20
LONGEST_SIDE = 4_000
"""Characters of one side of a region that are kept."""

_STYLE = ("-c", "merge.conflictStyle=diff3")
_MARKS = {b"<<<<<<< ": "ours", b"||||||| ": "base", b"=======": "theirs", b">>>>>>> ": ""}


def with_sides(
    store: GitStore,
    commits: tuple[str, str],
    conflicts: Sequence[Conflict],
    attributes: Path | None,
    changes: Mapping[str, Sequence[TreeEntry]],
    theirs: str,
) -> tuple[Conflict, ...]:
    """Complete the conflicts of merging two commits. `changes` are those of each member merged before, `theirs` is whose work follows."""
    merged = store.run(
        *_STYLE, "merge-tree", "--write-tree", "--allow-unrelated-histories", "-z", *commits, attributes=attributes
    )
    tree = merged.stdout.split(b"\0", 1)[0].decode() if merged.code in (0, 1) else ""
    return tuple(
        conflict.model_copy(
            update={
                "ours": tuple(agent for agent, files in changes.items() if _touches(files, conflict.path)),
                "theirs": theirs,
                "sides": tuple(_sides(store.run("cat-file", "blob", f"{tree}:{conflict.path}").stdout))[:MOST_REGIONS],
            }
        )
        for conflict in conflicts
    )


def _touches(files: Sequence[TreeEntry], path: str) -> bool:
    # A folder of one side may stand where the other has a file.
    return any(f"{file.path}/".startswith(f"{path}/") or f"{path}/".startswith(f"{file.path}/") for file in files)


def _sides(merged: bytes) -> Iterator[ConflictSides]:
    texts: dict[str, list[bytes]] = {}
    side = ""
    for line in merged.split(b"\n"):
        mark = next((mark for mark in _MARKS if line.startswith(mark)), None)
        if mark == b"<<<<<<< ":
            texts = {"base": [], "ours": [], "theirs": []}
        elif mark == b"=======" and line != mark:
            mark = None
        if mark is not None and texts:
            side = _MARKS[mark]
            if not side:
                yield ConflictSides(**{name: _text(lines) for name, lines in texts.items()})
                texts = {}
        elif side and texts:
            texts[side].append(line)


def _text(lines: Sequence[bytes]) -> str:
    text = "".join(f"{line.decode('utf-8', 'replace')}\n" for line in lines)
    return text if len(text) <= LONGEST_SIDE else f"{text[:LONGEST_SIDE]}[...]\n"
