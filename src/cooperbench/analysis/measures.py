"""A value for each group: repeats are averaged first, then groups are counted, in pools."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cooperbench.records.rows import EpisodeRow

Measure = Callable[[EpisodeRow], float | None]
"""A number of an episode, or `None` where it is not known."""


@dataclass(frozen=True)
class GroupMeans:
    """The mean over repeats of one measure, for each group for which it is known in at least one repeat."""

    values: tuple[float, ...]
    pools: tuple[str, ...]
    """`repo/task_id` of each."""
    groups: tuple[str, ...]
    planned: int
    """All groups, also those without a known value."""

    @property
    def unknown(self) -> int:
        """Groups without a known value."""
        return self.planned - len(self.values)

    @property
    def of(self) -> Mapping[str, float]:
        """The values by group."""
        return dict(zip(self.groups, self.values, strict=True))


def group_means(rows: Iterable[EpisodeRow], measure: Measure) -> GroupMeans:
    """Average a measure over the repeats of each group."""
    found: dict[str, list[float]] = {}
    pools: dict[str, str] = {}
    for row in rows:
        values = found.setdefault(row.group, [])
        pools[row.group] = row.task
        if (value := measure(row)) is not None:
            values.append(float(value))
    known = {group: values for group, values in found.items() if values}
    return GroupMeans(
        values=tuple(sum(values) / len(values) for values in known.values()),
        pools=tuple(pools[group] for group in known),
        groups=tuple(known),
        planned=len(found),
    )


def passed(row: EpisodeRow) -> float | None:
    """Return 1 for a passed episode, 0 for another judged one."""
    return None if row.passed is None else float(row.passed)
