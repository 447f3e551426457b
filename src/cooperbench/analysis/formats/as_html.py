"""One HTML page that needs no other file."""

from collections.abc import Iterator
from html import escape

from cooperbench.analysis.tables.table import CellKind, Report, ReportTable, written

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:13px}th,td{padding:.2rem .6rem;border-bottom:1px solid #ccc;text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.of{color:#555;font-size:13px}"
)


def to_html(report: Report) -> str:
    """Write a report as an HTML page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    title = escape(report.title)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>'
    yield f"<h1>{title}</h1>"
    yield from (f"<p><strong>{escape(sentence)}</strong></p>" for sentence in report.summary)
    yield "<ul>" + "".join(f"<li>{escape(str(each))}</li>" for each in report.provenance) + "</ul>"
    for table in report.tables:
        yield from _table(table)
    yield "</body></html>"


def _table(table: ReportTable) -> Iterator[str]:
    classes = ["" if column.kind is CellKind.TEXT else ' class="n"' for column in table.columns]
    yield f'<h2 id="{table.key}">{escape(table.title)}</h2>'
    head = zip(table.columns, classes, strict=True)
    yield (
        "<table><thead><tr>"
        + "".join(f"<th{mark}>{escape(column.name)}</th>" for column, mark in head)
        + "</tr></thead>"
    )
    yield "<tbody>"
    for row in table.rows:
        cells = zip(row, table.columns, classes, strict=True)
        yield (
            "<tr>"
            + "".join(f"<td{mark}>{escape(written(value, column.kind))}</td>" for value, column, mark in cells)
            + "</tr>"
        )
    yield "</tbody></table>"
    notes = "".join(f"<br>{escape(note)}" for note in table.notes)
    yield f'<p class="of">Of {escape(table.basis)}. Intervals: {escape(table.method)}.{notes}</p>'
