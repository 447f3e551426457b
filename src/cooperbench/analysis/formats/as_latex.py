"""LaTeX tables with booktabs, to be put into a paper with \\input."""

import re
from collections.abc import Iterator

from cooperbench.analysis.tables.table import CellKind, Report, ReportTable, written

_ESCAPED = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def to_latex(report: Report) -> str:
    """Write a report as LaTeX; needs the package booktabs."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    for line in (report.title, *report.summary, *map(str, report.provenance)):
        yield "% " + " ".join(line.split())
    for table in report.tables:
        yield ""
        yield from _table(table)


def _table(table: ReportTable) -> Iterator[str]:
    alignment = "".join("l" if column.kind is CellKind.TEXT else "r" for column in table.columns)
    yield r"\begin{table}"
    yield r"\centering"
    yield r"\small"
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in table.notes)
    yield rf"\caption{{{_escaped(f'{table.title}. Of {table.basis}. Intervals: {table.method}.{notes}')}}}"
    yield rf"\label{{tab:{table.key}}}"
    yield rf"\begin{{tabular}}{{{alignment}}}"
    yield r"\toprule"
    yield " & ".join(_escaped(column.name) for column in table.columns) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        cells = (written(value, column.kind) for value, column in zip(row, table.columns, strict=True))
        yield " & ".join(map(_escaped, cells)) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _escaped(text: str) -> str:
    return re.sub(r"[\\&%$#_{}~^<>\n]", lambda found: _ESCAPED.get(found[0], " "), text)
