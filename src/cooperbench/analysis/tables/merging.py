"""What merging costs: conflicts, success after each merge stage, and capability against integration."""

from collections.abc import Callable, Sequence

from cooperbench.analysis.measures import Measure, group_means
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import rate
from cooperbench.analysis.tables.slices import By, Slice, label_columns, slices
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value
from cooperbench.records import Setting
from cooperbench.records.rows import EpisodeRow


def conflicted(row: EpisodeRow) -> float | None:
    """Return 1 where git alone could not merge; `None` where that was not tried, or nothing applied."""
    return None if row.naive in (None, "error", "not_run") else float(row.naive == "conflict")


def after_naive(row: EpisodeRow) -> float | None:
    """Return 1 where the work merges without help and passes."""
    if row.naive in (None, "error", "not_run"):
        return None
    return float(row.naive == "clean" and row.naive_passed is True)


def after_union(row: EpisodeRow) -> float | None:
    """Return 1 where it passes after the naive or the union merge. A clean naive merge that fails is final."""
    if row.naive != "conflict":
        return after_naive(row)
    return None if row.union in (None, "error", "not_run") else float(row.union_passed is True)


def after_resolver(row: EpisodeRow) -> float | None:
    """Return 1 where it passes after any of the three; `None` where the resolver was needed and not tried."""
    if row.naive != "conflict" or row.union_passed:
        return after_union(row)
    return None if row.resolver in (None, "error", "not_run") else float(row.resolver_passed is True)


STAGES: dict[str, Measure] = {"naive": after_naive, "union": after_union, "resolver": after_resolver}


def conflicts_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of conflict rates; solo episodes have nothing to merge."""
    return _share_table(samples, by, "conflicts", "Merge conflicts", {"conflict": conflicted}, _several)


def stages_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of success after each merge stage, each counting those before it."""
    rows = [row for sample in samples for row in sample.rows]
    tried = {name: measure for name, measure in STAGES.items() if any(getattr(row, name) for row in rows)}
    made = _share_table(samples, by, "stages", "Success after each merge stage", tried, _several)
    absent = [name for name in STAGES if name not in tried]
    notes = [*made.notes, "cumulative; a clean naive merge that fails is final"]
    notes += [f"not evaluated: {', '.join(absent)}"] if absent else []
    return made.model_copy(update={"notes": tuple(notes)})


def capability_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table that separates what members can do alone from what is lost when their work is merged."""

    def capable(row: EpisodeRow) -> float | None:
        return None if row.alone_passed is None else float(row.alone_passed)

    def among(condition: Callable[[EpisodeRow], bool]) -> Measure:
        def passes(row: EpisodeRow) -> float | None:
            return after_naive(row) if row.alone_passed and condition(row) else None

        return passes

    measures: dict[str, Measure] = {
        "all capable": capable,
        "passes, of capable": among(lambda row: True),
        "of capable, merged cleanly": among(lambda row: row.naive == "clean"),
        "of capable, conflict": among(lambda row: row.naive == "conflict"),
    }
    made = _share_table(samples, by, "capability", "Capability and integration", measures, _several)
    note = "capable: every member's own features pass on its work alone; passes: after the naive merge"
    return made.model_copy(update={"notes": (*made.notes, note)})


def _several(row: EpisodeRow) -> bool:
    return not Setting(row.setting).alone


_SHARE_COLUMNS = (
    Column(name="share"),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="of", kind=CellKind.COUNT),
    Column(name="count", kind=CellKind.COUNT),
    Column(name="rate", kind=CellKind.SHARE),
    Column(name="95 % interval", kind=CellKind.SHARE),
)


def _share_table(
    samples: Sequence[RunSample],
    by: By | None,
    key: str,
    title: str,
    measures: dict[str, Measure],
    applies: Callable[[EpisodeRow], bool],
) -> ReportTable:
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        chosen = Slice(part.labels, part.sample, tuple(row for row in part.rows if applies(row)))
        if chosen.rows:
            rows += [(*part.labels, name, *_share(chosen, measure)) for name, measure in measures.items()]
    left_out = [sample.name for sample in samples if not any(map(applies, sample.rows))]
    return ReportTable(
        key=key,
        title=title,
        columns=(*label_columns(by), *_SHARE_COLUMNS),
        rows=tuple(rows),
        method="95 % cluster Wilson; plain Wilson where there is one pool",
        notes=(
            "groups: those for which it is known",
            *((f"left out, as solo has nothing to merge: {', '.join(left_out)}",) if left_out else ()),
        ),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _share(part: Slice, measure: Measure) -> tuple[Value, ...]:
    means = group_means(part.rows, measure)
    if not means.values:
        return (0, means.planned, None, None, None)
    found = rate(means.values, means.pools)
    return (found.n, means.planned, found.passed, found.rate, (found.low, found.high))
