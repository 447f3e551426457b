"""Solo and coop pass rates, the coordination gap and the relative loss, for each model and pooled."""

from collections.abc import Sequence

from cooperbench.analysis.paper.matching import MatchedModel, provenance_of
from cooperbench.analysis.paper.published import MODELS, PAIRS, of_pairs, published_model
from cooperbench.analysis.statistics import coordination_gap, paired, rate
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value

_SOLO_COOP_COLUMNS = (
    Column(name="model"),
    Column(name="groups", kind=CellKind.COUNT),
    Column(name="pools", kind=CellKind.COUNT),
    Column(name="solo", kind=CellKind.SHARE),
    Column(name="solo 95 %", kind=CellKind.SHARE),
    Column(name="coop", kind=CellKind.SHARE),
    Column(name="coop 95 %", kind=CellKind.SHARE),
    Column(name="gap", kind=CellKind.POINTS),
    Column(name="gap 95 %", kind=CellKind.POINTS),
    Column(name="p", kind=CellKind.P),
    Column(name="McNemar mid-p", kind=CellKind.P),
    Column(name="relative loss", kind=CellKind.SHARE),
    Column(name="published solo"),
    Column(name="published coop"),
    Column(name="published gap"),
)


def solo_coop_table(matched: Sequence[MatchedModel]) -> ReportTable:
    """Build the table of the coordination gap."""
    rows = [
        _row(each.label, each.pairing.a, each.pairing.b, each.pairing.pools, _published(each.model)) for each in matched
    ]
    if len(matched) > 1:
        a, b, pools = (
            [value for each in matched for value in getattr(each.pairing, name)] for name in ("a", "b", "pools")
        )
        rows.append(_row("all", a, b, pools, _published_pooled()))
    return ReportTable(
        key="solo-coop",
        title="Solo and coop",
        columns=_SOLO_COOP_COLUMNS,
        rows=tuple(rows),
        method="95 % cluster Wilson for rates, clustered t for gaps; p: sign flips up to 20 pools, Obuchowski above",
        notes=(
            "gap: solo minus coop on the same groups; relative loss: gap over solo",
            *(f"{each.label}: groups left out: {each.pairing.left_out}" for each in matched),
            "published intervals were plain Wilson",
        ),
        provenance=provenance_of(matched),
    )


def _row(
    label: str, solo: Sequence[float], coop: Sequence[float], pools: Sequence[str], published: tuple[str, str, str]
) -> tuple[Value, ...]:
    alone, together, difference = rate(solo, pools), rate(coop, pools), paired(solo, coop, pools)
    return (
        label,
        alone.n,
        alone.clusters,
        alone.rate,
        (alone.low, alone.high),
        together.rate,
        (together.low, together.high),
        difference.difference,
        (difference.low, difference.high),
        difference.p,
        difference.mcnemar_mid_p,
        coordination_gap(alone.rate, together.rate).relative_loss,
        *published,
    )


def _published(model: str) -> tuple[str, str, str]:
    found = published_model(model)
    if found is None:
        return "-", "-", "-"
    return of_pairs(found.solo), of_pairs(found.coop), f"{100 * (found.solo - found.coop) / PAIRS:+.1f}"


def _published_pooled() -> tuple[str, str, str]:
    total = PAIRS * len(MODELS)
    solo, coop = sum(model.solo for model in MODELS), sum(model.coop for model in MODELS)
    return f"{100 * solo / total:.1f} %", f"{100 * coop / total:.1f} %", f"{100 * (solo - coop) / total:+.1f}"
