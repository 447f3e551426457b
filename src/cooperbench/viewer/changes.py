"""Who changed which lines of which file, and where members met."""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from cooperbench.records.hunks import Hunk, split_hunks, without_context
from cooperbench.viewer.clock import Span
from cooperbench.viewer.models import ChangedRange, FileSide, ShownFile, ShownMessage
from cooperbench.viewer.texts import cut

Dropped = Mapping[tuple[str, str], str]
"""Why a member's (first) path (second) was left out."""


def shown_files(
    patches: Mapping[str, bytes],
    dropped: Dropped,
    messages: Sequence[ShownMessage],
    written: Mapping[tuple[str, str], float],
) -> tuple[ShownFile, ...]:
    """Return the files of all patches, those first in which members met. `written` says when a member first changed a path."""
    by_path: dict[str, dict[str, list[Hunk]]] = {}
    for agent_id, patch in patches.items():
        for hunk in split_hunks(patch):
            by_path.setdefault(hunk.path, {}).setdefault(agent_id, []).append(hunk)
    files = []
    for path, sides in by_path.items():
        shown = tuple(
            _side(agent_id, path, hunks, dropped.get((agent_id, path), ""), written.get((agent_id, path)))
            for agent_id, hunks in sides.items()
        )
        lengths = [hunk.old_start + hunk.old_lines for hunks in sides.values() for hunk in hunks]
        added = [hunk.new_start + hunk.new_lines for hunks in sides.values() for hunk in hunks]
        files.append(
            ShownFile(
                path=path.encode("utf-8", "replace").decode(),
                sides=shown,
                length=max([1, *(lengths if max(lengths) > 1 else added)]),
                overlaps=_overlaps(shown),
                mentions=mentions(path, messages),
            )
        )
    return tuple(sorted(files, key=lambda file: (-len(file.overlaps), -len(file.sides), file.path)))


def _side(agent_id: str, path: str, hunks: Sequence[Hunk], dropped: str, written: float | None) -> FileSide:
    pieces = [piece for hunk in hunks if hunk.body for piece in without_context(hunk)]
    ranges = tuple(
        ChangedRange(piece.old_start + (piece.old_lines == 0), piece.old_lines, piece.new_lines) for piece in pieces
    )
    text = b"".join(hunk.body or hunk.head[:2000] for hunk in hunks).decode("utf-8", "replace")
    return FileSide(
        agent_id=agent_id,
        ranges=ranges,
        added=sum(len(hunk.added) for hunk in hunks),
        removed=sum(len(hunk.removed) for hunk in hunks),
        diff=cut(text),
        new=any(b"\nnew file mode" in hunk.head for hunk in hunks),
        dropped=dropped,
        first_written=written,
    )


def _overlaps(sides: Sequence[FileSide]) -> tuple[Span, ...]:
    """Find the lines of the base that two members changed, or where both inserted; neighbouring lines count, as in git's merge."""
    found: set[Span] = set()
    for one, other in itertools.combinations(sides, 2):
        if one.new and other.new:
            found.add(Span(1, max(side.added for side in (one, other))))
            continue
        for mine, theirs in itertools.product(one.ranges, other.ranges):
            first, last = max(mine.first, theirs.first), min(_last(mine), _last(theirs))
            if first <= last + 1:
                found.add(Span(min(first, last), max(first, last)))
    return tuple(sorted(found))


def _last(changed: ChangedRange) -> int:
    return changed.first + max(changed.removed, 1) - 1


def mentions(path: str, messages: Sequence[ShownMessage]) -> tuple[int, ...]:
    """Return the numbers of the members' messages that name a file by its base name."""
    name = re.compile(rf"(?<!\w){re.escape(PurePosixPath(path).name)}(?!\w)")
    return tuple(each.number for each in messages if each.sender != "harness" and name.search(each.text))
