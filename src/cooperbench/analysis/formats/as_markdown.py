"""Markdown, with pipe tables."""

from collections.abc import Iterator

from cooperbench.analysis.tables.table import CellKind, Report, ReportTable, written


def to_markdown(report: Report) -> str:
    """Write a report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {report.title}"
    yield ""
    for sentence in report.summary:
        yield sentence
        yield ""
    for each in report.provenance:
        yield f"- {each}"
    for table in report.tables:
        yield ""
        yield from _table(table)


def _table(table: ReportTable) -> Iterator[str]:
    yield f"## {table.title}"
    yield ""
    yield "| " + " | ".join(_cell(column.name) for column in table.columns) + " |"
    yield "|" + "|".join("---" if column.kind is CellKind.TEXT else "---:" for column in table.columns) + "|"
    for row in table.rows:
        cells = (written(value, column.kind) for value, column in zip(row, table.columns, strict=True))
        yield "| " + " | ".join(map(_cell, cells)) + " |"
    yield ""
    yield f"Of {table.basis}. Intervals: {table.method}."
    for note in table.notes:
        yield f"- {note}"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
