"""What passes cost: US dollars, tokens, time, messages."""

import math
from collections.abc import Sequence

from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import achieved_concurrency, bootstrap_ratio
from cooperbench.analysis.tables.slices import By, Slice, label_columns, slices
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value
from cooperbench.records.rows import EpisodeRow

_COST_COLUMNS = (
    Column(name="episodes", kind=CellKind.COUNT),
    Column(name="cost unknown", kind=CellKind.COUNT),
    Column(name="cost", kind=CellKind.DOLLARS),
    Column(name="per episode", kind=CellKind.DOLLARS),
    Column(name="passes per dollar", kind=CellKind.NUMBER),
    Column(name="95 % interval", kind=CellKind.NUMBER),
    Column(name="input tokens", kind=CellKind.COUNT),
    Column(name="output tokens", kind=CellKind.COUNT),
    Column(name="steps", kind=CellKind.NUMBER),
    Column(name="agent time", kind=CellKind.SECONDS),
    Column(name="time", kind=CellKind.SECONDS),
)


def cost_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of cost, tokens, steps and time, and of passes per dollar."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        ran = [row for row in part.rows if row.seconds is not None]
        rows.append(
            (
                *part.labels,
                len(ran),
                sum(row.cost is None for row in ran),
                _total(ran, "cost"),
                _mean(ran, "cost"),
                *_passes_per_dollar(part),
                _mean(ran, "input_tokens"),
                _mean(ran, "output_tokens"),
                _mean(ran, "steps"),
                _mean(ran, "agent_seconds"),
                _mean(ran, "seconds"),
            )
        )
    return ReportTable(
        key="cost",
        title="Cost, tokens and time",
        columns=(*label_columns(by), *_COST_COLUMNS),
        rows=tuple(rows),
        method="95 % bootstrap over pools, 2,000 draws, seed 0",
        notes=(
            "means for each episode that ran; a cost or token count that is unknown for one episode is unknown for the row",
            "agent time: summed over the members; time: from the first member's start to the last one's end",
        ),
        provenance=tuple(sample.provenance for sample in samples),
    )


_MESSAGES_COLUMNS = (
    Column(name="episodes", kind=CellKind.COUNT),
    Column(name="messages", kind=CellKind.COUNT),
    Column(name="per episode", kind=CellKind.NUMBER),
    Column(name="per step", kind=CellKind.NUMBER),
    Column(name="silent episodes", kind=CellKind.COUNT),
    Column(name="achieved concurrency", kind=CellKind.NUMBER),
)


def messages_table(samples: Sequence[RunSample], by: By | None) -> ReportTable:
    """Build the table of messages and of the concurrency that was achieved."""
    rows: list[tuple[Value, ...]] = []
    for part in slices(samples, by):
        ran = [row for row in part.rows if row.messages is not None]
        sent, steps = sum(row.messages or 0 for row in ran), sum(row.steps or 0 for row in ran)
        silent = sum(row.messages == 0 for row in ran)
        rows.append(
            (
                *part.labels,
                len(ran),
                sent,
                sent / len(ran) if ran else None,
                sent / steps if steps else None,
                silent,
                _concurrency(part),
            )
        )
    return ReportTable(
        key="messages",
        title="Messages and concurrency",
        columns=(*label_columns(by), *_MESSAGES_COLUMNS),
        rows=tuple(rows),
        method="counts and means, no intervals",
        notes=(
            "messages: delivered ones between members",
            "achieved concurrency: seconds of all episodes over those from first start to last end, pauses between sessions included",
        ),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _passes_per_dollar(part: Slice) -> tuple[Value, Value]:
    rows = [row for row in part.rows if row.passed is not None]
    costs = [row.cost for row in rows]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or math.fsum(known) <= 0:
        return None, None
    found = bootstrap_ratio([float(bool(row.passed)) for row in rows], known, [row.task for row in rows])
    one_pool = len({row.task for row in rows}) == 1
    return found.value, None if one_pool else (found.low, found.high)


def _concurrency(part: Slice) -> float | None:
    spans = [(row.started_at, row.ended_at) for row in part.rows if row.started_at and row.ended_at]
    if not spans:
        return None
    wall = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
    return achieved_concurrency([(end - start).total_seconds() for start, end in spans], wall) if wall > 0 else None


def _total(rows: Sequence[EpisodeRow], name: str) -> float | None:
    values = [getattr(row, name) for row in rows]
    return None if not values or None in values else math.fsum(values)


def _mean(rows: Sequence[EpisodeRow], name: str) -> float | None:
    total = _total(rows, name)
    return None if total is None else total / len(rows)
