"""How success scales with the number of members."""

from collections.abc import Sequence

from cooperbench.analysis.measures import group_means, passed
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import rate
from cooperbench.analysis.tables.slices import By, slices
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value
from cooperbench.records.rows import EpisodeRow

_TEAM_SIZE_COLUMNS = (
    Column(name="run"),
    Column(name="features", kind=CellKind.COUNT),
    Column(name="members", kind=CellKind.COUNT),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="of", kind=CellKind.COUNT),
    Column(name="all pass", kind=CellKind.SHARE),
    Column(name="all 95 %", kind=CellKind.SHARE),
    Column(name="features pass", kind=CellKind.SHARE),
    Column(name="features 95 %", kind=CellKind.SHARE),
)


def team_size_table(samples: Sequence[RunSample]) -> ReportTable:
    """Build the table of groups that pass as a whole, and of features that pass, by the number of features and members."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, By.SIZE):
        whole, features = group_means(part.rows, passed), group_means(part.rows, _features)
        if not whole.values:
            continue
        all_passed, each = rate(whole.values, whole.pools), rate(features.values, features.pools)
        members = len(part.rows[0].agents)
        rows.append(
            (
                *part.labels,
                members,
                all_passed.n,
                whole.planned,
                all_passed.rate,
                (all_passed.low, all_passed.high),
                each.rate,
                (each.low, each.high),
            )
        )
    return ReportTable(
        key="team-size",
        title="Scaling with the size of the team",
        columns=_TEAM_SIZE_COLUMNS,
        rows=tuple(rows),
        method="95 % cluster Wilson; plain Wilson where there is one pool",
        notes=("features pass: the mean over groups of the share of features whose tests pass on the merged work",),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _features(row: EpisodeRow) -> float | None:
    return None if row.features_passed is None else row.features_passed / row.size
