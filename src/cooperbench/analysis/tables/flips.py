"""The groups that one run passes and another does not, with reasons and paths."""

from collections.abc import Iterator, Sequence

from cooperbench.analysis.pairing import Pairing
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.tables.table import Column, ReportTable, Value
from cooperbench.records.rows import EpisodeRow


def flips_table(pairings: Sequence[Pairing], most: int) -> Iterator[ReportTable]:
    """Yield for each pairing the table of its flipped groups, up to `most` in each direction; 0 lists all."""
    for number, pairing in enumerate(pairings, 1):
        better = [group for group, a, b in zip(pairing.groups, pairing.a, pairing.b, strict=True) if a > b]
        worse = [group for group, a, b in zip(pairing.groups, pairing.a, pairing.b, strict=True) if a < b]
        if not better and not worse:
            continue
        rows = [
            *_rows(better[: most or None], pairing.first, pairing.second),
            *_rows(worse[: most or None], pairing.second, pairing.first),
        ]
        hidden = len(better) + len(worse) - len(rows)
        yield ReportTable(
            key="flips" if len(pairings) == 1 else f"flips-{'abcdefghijklmnopqrstuvwxyz'[number % 26]}",
            title=f"Groups that differ between {pairing.first.name} and {pairing.second.name}",
            columns=tuple(map(_column, ("group", "better", "worse", "outcome of the worse", "reason", "path"))),
            rows=tuple(rows),
            method="none: a list",
            notes=(
                f"{len(better)} groups for {pairing.first.name}, {len(worse)} for {pairing.second.name}",
                *((f"{hidden} more are not listed: --flips 0 lists all",) if hidden else ()),
            ),
            provenance=(pairing.first.provenance, pairing.second.provenance),
        )


def _column(name: str) -> Column:
    return Column(name=name)


def _rows(groups: Sequence[str], better: RunSample, worse: RunSample) -> Iterator[tuple[Value, ...]]:
    failed: dict[str, EpisodeRow] = {}
    passes: dict[tuple[str, str], list[bool]] = {}
    for sample in (better, worse):
        for row in sample.rows:
            if row.passed is not None:
                passes.setdefault((sample.name, row.group), []).append(row.passed)
            if sample is worse and row.passed is False:
                failed.setdefault(row.group, row)
    for group in groups:
        row = failed[group]
        yield (
            group,
            _count(better.name, passes[better.name, group]),
            _count(worse.name, passes[worse.name, group]),
            (row.outcome or "").replace("_", " "),
            row.reason,
            str(worse.paths[row.episode]),
        )


def _count(name: str, outcomes: Sequence[bool]) -> str:
    return name if len(outcomes) == 1 else f"{name} {sum(outcomes)}/{len(outcomes)}"
