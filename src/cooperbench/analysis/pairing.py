"""Two runs on the same groups: what pairs, what is left out, and whether they may be compared at all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cooperbench.analysis.measures import Measure, group_means, passed
from cooperbench.analysis.samples import RunSample
from cooperbench.errors import UsageError
from cooperbench.records.rows import EpisodeRow

_BUDGETS = (
    ("step_budget", "steps"),
    ("token_budget", "tokens"),
    ("cost_budget", "dollars"),
)


@dataclass(frozen=True)
class Pairing:
    """The groups that two runs share, with the mean over repeats of a measure in each."""

    first: RunSample
    second: RunSample
    groups: tuple[str, ...]
    pools: tuple[str, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    only_first: int
    """Groups that the second run does not have."""
    only_second: int
    unknown: int
    """Groups of both runs for which the measure is not known in both."""

    @property
    def left_out(self) -> str:
        """What is missing, in words."""
        parts = [
            f"{self.only_first} only in {self.first.name}" if self.only_first else "",
            f"{self.only_second} only in {self.second.name}" if self.only_second else "",
            f"{self.unknown} without a verdict in both" if self.unknown else "",
        ]
        return ", ".join(part for part in parts if part) or "none"


def average_pool_size(pools: Sequence[str]) -> float:
    """Return the number of groups in a group's pool, itself included, on average over groups (not over pools)."""
    sizes = Counter(pools).values()
    return sum(size * size for size in sizes) / sum(sizes)


def pair_runs(first: RunSample, second: RunSample, measure: Measure = passed) -> Pairing:
    """Pair two runs by their groups."""
    means = group_means(first.rows, measure), group_means(second.rows, measure)
    known = means[0].of, means[1].of
    every = {row.group: row.task for row in first.rows}, {row.group for row in second.rows}
    common = [group for group in every[0] if group in every[1]]
    shared = [group for group in common if group in known[0] and group in known[1]]
    return Pairing(
        first=first,
        second=second,
        groups=tuple(shared),
        pools=tuple(every[0][group] for group in shared),
        a=tuple(known[0][group] for group in shared),
        b=tuple(known[1][group] for group in shared),
        only_first=len(every[0]) - len(common),
        only_second=len(every[1]) - len(common),
        unknown=len(common) - len(shared),
    )


def check_comparable(first: RunSample, second: RunSample, *, anyway: bool = False) -> tuple[str, ...]:
    """Return what keeps two runs from being compared. Raises `UsageError` if there is anything, unless `anyway`.

    Data, policy and budgets have to be equal. Budgets are where the limits of each member are, or those of the whole team:
    coop with as much for each of two members as solo has for one, and solo with twice as much, are both fair questions.
    """
    if first.name == second.name:
        raise UsageError(f"run {first.name} is compared with itself", hint="name two runs; see cooperbench runs list")
    found = tuple(_differences(first, second))
    if found and not anyway:
        raise UsageError(
            f"{first.name} and {second.name} cannot be compared: {'; '.join(found)}",
            subject=second.name,
            hint="--anyway compares them all the same"
            + (", --policy sets one policy for both" if _policies(first, second) else ""),
        )
    return found


def conditions_that_differ(first: RunSample, second: RunSample) -> tuple[str, ...]:
    """Return other things that differ, which a reader has to know: they are what is compared, or may explain the difference."""
    a, b = first.provenance, second.provenance
    pairs = {
        "setting": (a.setting, b.setting),
        "team": (a.team, b.team),
        "backend": (a.backend, b.backend),
        "messaging": (_switch(a.messaging), _switch(b.messaging)),
        "git": (_switch(a.git), _switch(b.git)),
        "attempts per group": (str(a.repeats), str(b.repeats)),
    }
    found = [f"{name}: {one} against {other}" for name, (one, other) in pairs.items() if one != other]
    if a.image_digests and b.image_digests and _images(first) != _images(second):
        found.append("the digests of images")
    return tuple(found)


def _differences(first: RunSample, second: RunSample) -> Iterable[str]:
    yield from _data(first, second)
    if _policies(first, second):
        yield f"policy {first.provenance.policy} against {second.provenance.policy}"
    one, other = first.rows[0], second.rows[0]
    for field, name in _BUDGETS:
        a, b = getattr(one, field), getattr(other, field)
        if a != b and _each(a, one) != _each(b, other):
            yield f"{name} per member {_amount(_each(a, one))} against {_amount(_each(b, other))}"
    if one.wall_time != other.wall_time:
        yield f"wall time {one.wall_time:g} s against {other.wall_time:g} s"


def _data(first: RunSample, second: RunSample) -> Iterable[str]:
    tasks = _revisions(first), _revisions(second)
    common = tasks[0].keys() & tasks[1].keys()
    if not {row.group for row in first.rows} & {row.group for row in second.rows}:
        yield "they have no group in common"
        return
    changed = sorted(
        task for task in common if None not in (pair := (tasks[0][task], tasks[1][task])) and pair[0] != pair[1]
    )
    if changed:
        yield f"data revision of {changed[0]}" + (f" and {len(changed) - 1} more tasks" if len(changed) > 1 else "")
    unknown = any(tasks[0][task] is None or tasks[1][task] is None for task in common)
    if unknown and first.provenance.data_revision != second.provenance.data_revision:
        yield f"data revision {first.provenance.data_revision} against {second.provenance.data_revision}"


def _revisions(sample: RunSample) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for row in sample.rows:
        found[row.task] = row.task_revision or found.get(row.task)
    return found


def _images(sample: RunSample) -> dict[str, str | None]:
    return {row.task: row.image_digest for row in sample.rows}


def _policies(first: RunSample, second: RunSample) -> bool:
    return first.provenance.policy != second.provenance.policy


def _each(budget: float | None, row: EpisodeRow) -> float | None:
    return None if budget is None else budget / len(row.agents)


def _amount(budget: float | None) -> str:
    return "no limit" if budget is None else f"{budget:g}"


def _switch(on: bool) -> str:
    return "on" if on else "off"
