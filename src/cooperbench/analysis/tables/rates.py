"""Pass rates, what is missing of them, outcomes, and repeats."""

from collections import Counter
from collections.abc import Sequence

from cooperbench.analysis.measures import group_means, passed
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import RateEstimate, missing_bounds, pass_at_k, pass_hat_k, rate
from cooperbench.analysis.statistics.rates import CLUSTER_WILSON, PLAIN_WILSON
from cooperbench.analysis.tables.slices import By, label_columns, slices
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value
from cooperbench.records import Outcome
from cooperbench.records.rows import EpisodeRow

_RATES_COLUMNS = (
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="of", kind=CellKind.COUNT),
    Column(name="pools", kind=CellKind.COUNT),
    Column(name="passed", kind=CellKind.COUNT),
    Column(name="rate", kind=CellKind.SHARE),
    Column(name="95 % interval", kind=CellKind.SHARE),
    Column(name="if independent", kind=CellKind.SHARE),
    Column(name="ICC", kind=CellKind.NUMBER),
    Column(name="design effect", kind=CellKind.NUMBER),
    Column(name="effective groups", kind=CellKind.NUMBER),
)


def rates_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of pass rates, with intervals that know about pools, and plain ones beside them."""
    rows: list[tuple[Value, ...]] = []
    methods: dict[str, None] = {}
    for part in slices(samples, by):
        means = group_means(part.rows, passed)
        found = rate(means.values, means.pools) if means.values else None
        if found is None:
            rows.append((*part.labels, 0, means.planned, len({row.task for row in part.rows}), *[None] * 7))
        else:
            methods[found.method] = None
            rows.append((*part.labels, found.n, means.planned, *_rate_cells(found)))
    notes = ["effective groups: independent ones that would say as much"]
    if PLAIN_WILSON in methods:
        notes.append("one pool: no interval that knows about pools is possible, the plain one stands in")
    if any(sample.provenance.repeats > 1 for sample in samples):
        notes.append("passed: the mean over the attempts of each group, summed")
    return ReportTable(
        key="rates",
        title="Pass rates",
        columns=(*label_columns(by), *_RATES_COLUMNS),
        rows=tuple(rows),
        method=f"95 % {' or '.join(methods) or CLUSTER_WILSON}; if independent: plain Wilson, as in the paper",
        notes=tuple(notes),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _rate_cells(found: RateEstimate) -> tuple[Value, ...]:
    return (
        found.clusters,
        found.passed,
        found.rate,
        (found.low, found.high),
        found.plain,
        found.icc,
        found.design_effect,
        found.n_effective,
    )


_WHY = {
    "new": "not run",
    "unfinished": "unfinished",
    "interrupted": "interrupted",
    "infra_error": "infra error",
    "unreadable": "unreadable",
    "finished": "not judged",
}


_MISSING_COLUMNS = (
    Column(name="planned", kind=CellKind.COUNT),
    Column(name="judged", kind=CellKind.COUNT),
    Column(name="missing because"),
    Column(name="rate of judged", kind=CellKind.SHARE),
    Column(name="missing as failed", kind=CellKind.SHARE),
    Column(name="worst", kind=CellKind.SHARE),
    Column(name="best", kind=CellKind.SHARE),
)


def missing_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of what has no verdict, why, and what the rate would be in the worst and best case."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        judged = [row for row in part.rows if row.passed is not None]
        bounds = missing_bounds(sum(row.passed is True for row in judged), len(judged), len(part.rows))
        rows.append((*part.labels, len(part.rows), len(judged), _reasons(part.rows), *bounds))
    return ReportTable(
        key="missing",
        title="What is missing",
        columns=(*label_columns(by), *_MISSING_COLUMNS),
        rows=tuple(rows),
        method="bounds, not intervals",
        notes=("episodes, repeats included",),
        provenance=tuple(sample.provenance for sample in samples),
    )


def outcomes_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of episodes by outcome."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        counts = Counter(row.outcome for row in part.rows)
        rows.append((*part.labels, *(counts[outcome.value] for outcome in Outcome), counts[None], len(part.rows)))
    return ReportTable(
        key="outcomes",
        title="Outcomes",
        columns=(
            *label_columns(by),
            *(Column(name=outcome.value.replace("_", " "), kind=CellKind.COUNT) for outcome in Outcome),
            Column(name="no verdict", kind=CellKind.COUNT),
            Column(name="episodes", kind=CellKind.COUNT),
        ),
        rows=tuple(rows),
        method="counts, no intervals",
        provenance=tuple(sample.provenance for sample in samples),
    )


_REPEATS_COLUMNS = (
    Column(name="k", kind=CellKind.COUNT),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="of", kind=CellKind.COUNT),
    Column(name="pass@k", kind=CellKind.SHARE),
    Column(name="pass^k", kind=CellKind.SHARE),
)


def repeats_table(samples: Sequence[RunSample], by: By | None) -> ReportTable | None:
    """Build the table of pass@k and pass^k; `None` where no group was attempted twice."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        attempts: dict[str, list[bool]] = {}
        for row in part.rows:
            if row.passed is not None:
                attempts.setdefault(row.group, []).append(row.passed)
        for k in range(1, max(map(len, attempts.values()), default=0) + 1):
            enough = [outcomes for outcomes in attempts.values() if len(outcomes) >= k]
            some = [pass_at_k(len(outcomes), sum(outcomes), k) for outcomes in enough]
            every = [pass_hat_k(len(outcomes), sum(outcomes), k) for outcomes in enough]
            rows.append((*part.labels, k, len(enough), len(attempts), sum(some) / len(some), sum(every) / len(every)))
    if not any(row[-5] == 2 for row in rows):
        return None
    return ReportTable(
        key="repeats",
        title="Several attempts",
        columns=(*label_columns(by), *_REPEATS_COLUMNS),
        rows=tuple(rows),
        method="unbiased estimates (Chen et al. 2021; Yao et al. 2024), no intervals",
        notes=(
            "pass@k: at least one of k attempts passes; pass^k: all do; groups with fewer than k attempts left out",
        ),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _reasons(rows: Sequence[EpisodeRow]) -> str:
    counts = Counter(_WHY.get(row.state, row.state) for row in rows if row.passed is None)
    return ", ".join(f"{count} {why}" for why, count in counts.most_common()) or "nothing is missing"
