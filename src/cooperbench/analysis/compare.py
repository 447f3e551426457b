"""`cooperbench compare`: one run against others on the same groups."""

from collections.abc import Sequence

from cooperbench.analysis.conclusions import conclusion
from cooperbench.analysis.measures import Measure
from cooperbench.analysis.pairing import Pairing, check_comparable, conditions_that_differ, pair_runs
from cooperbench.analysis.samples import Provenance, RunSample
from cooperbench.analysis.statistics import DifferenceEstimate, adjust, paired, paired_cost
from cooperbench.analysis.tables.flips import flips_table
from cooperbench.analysis.tables.table import CellKind, Column, Report, ReportTable, Value
from cooperbench.errors import UsageError

FLIPS = 20
"""Groups that are listed for each direction unless more are asked for."""


def make_comparison(samples: Sequence[RunSample], *, anyway: bool = False, flips: int = FLIPS) -> Report:
    """Compare the first run with each of the others. Raises `UsageError` where runs are not comparable, unless `anyway`."""
    if len(samples) < 2:
        raise UsageError("a comparison needs two runs", hint="cooperbench compare A B; see cooperbench runs list")
    first, others = samples[0], samples[1:]
    refused = {other.name: check_comparable(first, other, anyway=anyway) for other in others}
    pairings = [pair_runs(first, other) for other in others]
    for pairing in pairings:
        if not pairing.groups:
            raise UsageError(
                f"{pairing.first.name} and {pairing.second.name} have no group with a verdict in both",
                hint="cooperbench eval -n RUN",
            )
    found = [paired(pairing.a, pairing.b, pairing.pools) for pairing in pairings]
    adjusted = adjust([each.p for each in found]) if len(found) > 1 else [found[0].p]  # spares statsmodels: 1 s
    sentences = [conclusion(*each) for each in zip(pairings, found, adjusted, strict=True)]
    warnings = [f"Not comparable, and compared anyway: {'; '.join(why)}." for why in refused.values() if why]
    return Report(
        title=f"{first.name} against {', '.join(other.name for other in others)}",
        summary=(*sentences, *warnings),
        provenance=tuple(sample.provenance for sample in samples),
        tables=(
            _difference_table(pairings, found, adjusted),
            _counts_table(pairings, found),
            *(table for table in (_effort_table(pairings),) if table.rows),
            *flips_table(pairings, flips),
        ),
    )


_DIFFERENCE_COLUMNS = (
    Column(name="A"),
    Column(name="B"),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="pools", kind=CellKind.COUNT),
    Column(name="rate A", kind=CellKind.SHARE),
    Column(name="rate B", kind=CellKind.SHARE),
    Column(name="A - B", kind=CellKind.POINTS),
    Column(name="95 % interval", kind=CellKind.POINTS),
    Column(name="p", kind=CellKind.P),
    Column(name="p, Holm", kind=CellKind.P),
    Column(name="if independent", kind=CellKind.POINTS),
    Column(name="McNemar mid-p", kind=CellKind.P),
    Column(name="sign-flip p", kind=CellKind.P),
    Column(name="ICC", kind=CellKind.NUMBER),
    Column(name="design effect", kind=CellKind.NUMBER),
)


def _difference_table(
    pairings: Sequence[Pairing], found: Sequence[DifferenceEstimate], adjusted: Sequence[float]
) -> ReportTable:
    names = {each.method: None for each in found}, {each.test: None for each in found}
    notes = [f"{each.second.name} against {each.first.name}: groups left out: {each.left_out}" for each in pairings]
    differ = [(pairing.second.name, conditions_that_differ(pairing.first, pairing.second)) for pairing in pairings]
    notes += [f"{name}: what differs: {'; '.join(what)}" for name, what in differ if what]
    if any(each.clusters == 1 for each in found):
        notes.append("one pool: no test that knows about pools is possible, McNemar's stands in")
    return ReportTable(
        key="difference",
        title="Difference of the pass rates",
        columns=_DIFFERENCE_COLUMNS,
        rows=tuple(_difference_cells(*each) for each in zip(pairings, found, adjusted, strict=True)),
        method=f"{' or '.join(names[0])}; p: {' or '.join(names[1])}; if independent: Newcombe, as in the paper",
        notes=tuple(notes),
        provenance=_provenance(pairings),
    )


def _difference_cells(pairing: Pairing, found: DifferenceEstimate, adjusted: float) -> tuple[Value, ...]:
    return (
        pairing.first.name,
        pairing.second.name,
        found.n,
        found.clusters,
        found.rate_a,
        found.rate_b,
        found.difference,
        (found.low, found.high),
        found.p,
        adjusted,
        found.newcombe,
        found.mcnemar_mid_p,
        found.sign_flip_p,
        found.icc,
        found.design_effect,
    )


_COUNTS_COLUMNS = (
    Column(name="A"),
    Column(name="B"),
    Column(name="both pass", kind=CellKind.COUNT),
    Column(name="A better", kind=CellKind.COUNT),
    Column(name="B better", kind=CellKind.COUNT),
    Column(name="neither", kind=CellKind.COUNT),
    Column(name="groups", kind=CellKind.COUNT),
)


def _counts_table(pairings: Sequence[Pairing], found: Sequence[DifferenceEstimate]) -> ReportTable:
    rows: list[tuple[Value, ...]] = []
    for pairing, each in zip(pairings, found, strict=True):
        up = sum(a > b for a, b in zip(pairing.a, pairing.b, strict=True))
        down = sum(a < b for a, b in zip(pairing.a, pairing.b, strict=True))
        counts = each.counts
        both, neither = (counts.both, counts.neither) if counts else (None, None)
        rows.append((pairing.first.name, pairing.second.name, both, up, down, neither, each.n))
    return ReportTable(
        key="counts",
        title="Pairs of outcomes",
        columns=_COUNTS_COLUMNS,
        rows=tuple(rows),
        method="counts, no intervals",
        notes=("better: passes, or with several attempts passes more often; both and neither are not defined then",)
        if any(each.counts is None for each in found)
        else (),
        provenance=_provenance(pairings),
    )


_EFFORT: dict[str, Measure] = {
    "cost": lambda row: row.cost,
    "steps": lambda row: row.steps,
    "agent time": lambda row: row.agent_seconds,
    "time": lambda row: row.seconds,
}


_EFFORT_COLUMNS = (
    Column(name="A"),
    Column(name="B"),
    Column(name="what"),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="mean A", kind=CellKind.NUMBER),
    Column(name="mean B", kind=CellKind.NUMBER),
    Column(name="A - B", kind=CellKind.NUMBER),
    Column(name="95 % interval", kind=CellKind.NUMBER),
    Column(name="Wilcoxon p", kind=CellKind.P),
)


def _effort_table(pairings: Sequence[Pairing]) -> ReportTable:
    rows: list[tuple[Value, ...]] = []
    for pairing in pairings:
        for name, measure in _EFFORT.items():
            made = pair_runs(pairing.first, pairing.second, measure)
            if len(made.groups) < 2 or not any((*made.a, *made.b)):
                continue
            found = paired_cost(made.a, made.b)
            means = sum(made.a) / len(made.a), sum(made.b) / len(made.b)
            rows.append(
                (
                    made.first.name,
                    made.second.name,
                    name,
                    len(made.groups),
                    *means,
                    found.mean_difference,
                    (found.low, found.high),
                    found.wilcoxon_p,
                )
            )
    return ReportTable(
        key="effort",
        title="Cost and time for each group",
        columns=_EFFORT_COLUMNS,
        rows=tuple(rows),
        method="paired t over groups, as if groups were independent",
        notes=("cost in US dollars, times in seconds; groups without a known value are left out",),
        provenance=_provenance(pairings),
    )


def _provenance(pairings: Sequence[Pairing]) -> tuple[Provenance, ...]:
    return (pairings[0].first.provenance, *(pairing.second.provenance for pairing in pairings))
