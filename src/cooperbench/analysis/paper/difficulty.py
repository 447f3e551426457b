"""Rates by difficulty, and the areas under the two curves (the paper's Algorithm 1 and Table 5)."""

from collections.abc import Sequence

from cooperbench.analysis.paper.matching import MatchedModel, provenance_of
from cooperbench.analysis.paper.published import AUC_POOLED, CURVE, published_model
from cooperbench.analysis.statistics import DifficultyCurve, difficulty_curve, leave_one_out, retention
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value

_METHOD = "none: difficulty is computed from the same outcomes, so that an interval would not mean what it says"


_CURVE_COLUMNS = (
    Column(name="difficulty", kind=CellKind.NUMBER),
    Column(name="episodes", kind=CellKind.COUNT),
    Column(name="solo", kind=CellKind.SHARE),
    Column(name="coop", kind=CellKind.SHARE),
    Column(name="published solo"),
    Column(name="published coop"),
)


def curve_table(matched: Sequence[MatchedModel]) -> ReportTable:
    """Build the table of solo and coop rates in ten buckets of difficulty, counted over all models."""
    curve = pooled_curve(matched)
    rows: list[tuple[Value, ...]] = []
    for bucket in curve.buckets if curve else ():
        published = CURVE.get(round(bucket.midpoint, 2))
        beside = (f"{100 * published[0]:.0f} %", f"{100 * published[1]:.0f} %") if published else ("-", "-")
        rows.append((bucket.midpoint, bucket.n, bucket.solo_rate, bucket.coop_rate, *beside))
    return ReportTable(
        key="difficulty",
        title="Solo and coop by difficulty",
        columns=_CURVE_COLUMNS,
        rows=tuple(rows),
        method=_METHOD,
        notes=(_groups_note(matched), "empty buckets are left out; solo falls with difficulty by definition"),
        provenance=provenance_of(matched),
    )


_AUC_COLUMNS = (
    Column(name="model"),
    Column(name="solo", kind=CellKind.NUMBER),
    Column(name="coop", kind=CellKind.NUMBER),
    Column(name="difference", kind=CellKind.NUMBER),
    Column(name="retention", kind=CellKind.NUMBER),
    Column(name="retention, model left out", kind=CellKind.NUMBER),
    Column(name="published solo"),
    Column(name="published coop"),
    Column(name="published retention"),
)


def auc_table(matched: Sequence[MatchedModel]) -> ReportTable:
    """Build the table of areas under the curves and of retention, for each model and pooled."""
    rows: list[tuple[Value, ...]] = []
    curve = pooled_curve(matched)
    if curve is not None:
        solo, coop = _outcomes(matched)
        others = leave_one_out(solo) if len(solo) > 1 else {}
        for each in matched:
            name = each.label
            one = {name: solo[name]}, {name: coop[name]}
            own = difficulty_curve(*one, values=curve.difficulty)
            apart = difficulty_curve(*one, values=others[name]).retention if others else None
            found = published_model(each.model)
            rows.append(_auc_row(name, own, apart, (found.auc_solo, found.auc_coop) if found else None))
        rows.append(_auc_row("all", curve, None, AUC_POOLED))
    return ReportTable(
        key="auc",
        title="Areas under the difficulty curves",
        columns=_AUC_COLUMNS,
        rows=tuple(rows),
        method=_METHOD,
        notes=(
            _groups_note(matched),
            "trapezoids between populated midpoints; model left out: difficulty by the other models",
            "0 where all groups are equally hard: a curve needs two buckets",
        ),
        provenance=provenance_of(matched),
    )


def pooled_curve(matched: Sequence[MatchedModel]) -> DifficultyCurve | None:
    """Compute the curve over all models; `None` where they have no group in common."""
    solo, coop = _outcomes(matched)
    return difficulty_curve(solo, coop) if any(map(len, solo.values())) else None


def _outcomes(matched: Sequence[MatchedModel]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    shared = _shared(matched)
    solo: dict[str, list[float]] = {}
    coop: dict[str, list[float]] = {}
    for each in matched:
        for outcomes, values in ((solo, each.pairing.a), (coop, each.pairing.b)):
            of = dict(zip(each.pairing.groups, values, strict=True))
            outcomes[each.label] = [of[group] for group in shared]
    return solo, coop


def _shared(matched: Sequence[MatchedModel]) -> list[str]:
    rest = [set(each.pairing.groups) for each in matched[1:]]
    return [group for group in matched[0].pairing.groups if all(group in groups for groups in rest)]


def _groups_note(matched: Sequence[MatchedModel]) -> str:
    shared, every = len(_shared(matched)), {group for each in matched for group in each.pairing.groups}
    return f"{shared} groups that all models have in both settings, of {len(every)}"


def _auc_row(
    name: str, curve: DifficultyCurve, apart: float | None, published: tuple[float, float] | None
) -> tuple[Value, ...]:
    beside: tuple[Value, ...] = ("-", "-", "-")
    if published is not None:
        beside = (*(f"{value:.3f}" for value in published), f"{retention(*published):.2f}")
    return (
        name,
        curve.auc_solo,
        curve.auc_coop,
        curve.auc_solo - curve.auc_coop,
        curve.retention,
        apart,
        *beside,
    )
