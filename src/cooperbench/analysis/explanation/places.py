"""Find the places that several members changed, and what had been said about them."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from cooperbench.analysis.explanation.models import ChangedLines, ContestedPlace, Mention
from cooperbench.records import Conflict, ConversationMessage
from cooperbench.records.base import UtcTime
from cooperbench.records.hunks import Hunk, without_context

Hunks = Mapping[str, Sequence[Hunk]]
"""The hunks of each member's patch, by agent id."""

_NEAR = 1
"""Lines between two changes that git still takes for one: it merges changes of neighbouring lines with a conflict."""
_SHOWN_LINES = 40
_EXCERPT = 160


def contested_places(
    hunks: Hunks,
    conflicts: Mapping[str, Conflict],
    conversation: Sequence[ConversationMessage],
    written: Mapping[tuple[str, str], UtcTime],
) -> tuple[ContestedPlace, ...]:
    """Find what several members changed. `written` is when a member (first) changed a path (second) first."""
    places = []
    for path in sorted({hunk.path for own in hunks.values() for hunk in own} | set(conflicts)):
        by_member = {
            agent_id: [piece for hunk in own if hunk.path == path for piece in without_context(hunk)]
            for agent_id, own in hunks.items()
        }
        overlapping = _overlapping({agent_id: own for agent_id, own in by_member.items() if own})
        conflict = conflicts.get(path)
        if not overlapping and conflict is None:
            continue
        sides = [
            ChangedLines(
                agent_id=agent_id,
                first=hunk.old_start + (hunk.old_lines == 0),
                last=hunk.old_start + max(hunk.old_lines - 1, 0),
                added=tuple(line.decode("utf-8", "replace") for line in hunk.added[:_SHOWN_LINES]),
                written_at=written.get((agent_id, path)),
            )
            for agent_id, hunk in overlapping
            or [(agent_id, hunk) for agent_id, own in by_member.items() for hunk in own]
        ]
        places.append(
            ContestedPlace(
                path=path,
                kind=conflict.kind if conflict else "content",
                conflict=conflict is not None,
                sides=tuple(sides),
                mentions=mentions_of(_names_of(path), conversation),
            )
        )
    return tuple(places)


def _overlapping(by_member: Mapping[str, Sequence[Hunk]]) -> list[tuple[str, Hunk]]:
    found: dict[tuple[str, int], Hunk] = {}
    for (first, mine), (second, others) in itertools.combinations(by_member.items(), 2):
        for one, other in itertools.product(mine, others):
            if _touch(one, other):
                found[first, one.old_start] = one
                found[second, other.old_start] = other
    return [(agent_id, hunk) for (agent_id, _), hunk in sorted(found.items(), key=lambda each: each[0])]


def _touch(one: Hunk, other: Hunk) -> bool:
    """Tell whether two hunks without context change the same or neighbouring lines of the base."""
    return (
        one.old_start <= other.old_start + other.old_lines - 1 + _NEAR
        and other.old_start <= one.old_start + one.old_lines - 1 + _NEAR
    )


def _names_of(path: str) -> tuple[str, ...]:
    return (PurePosixPath(path).name,)


def mentions_of(names: Iterable[str], conversation: Sequence[ConversationMessage]) -> tuple[Mention, ...]:
    """Find the messages that name one of `names` as a word of its own."""
    pattern = re.compile("|".join(rf"(?<![\w]){re.escape(name)}(?![\w])" for name in names if name))
    found = []
    for message in conversation:
        if match := pattern.search(message.message):
            start = max(0, match.start() - _EXCERPT // 2)
            excerpt = " ".join(message.message[start : start + _EXCERPT].split())
            found.append(
                Mention(
                    sequence=message.sequence,
                    sender=message.sender,
                    to=message.to,
                    time=message.timestamp,
                    read=message.read_at is not None,
                    excerpt=excerpt,
                )
            )
    return tuple(found)
