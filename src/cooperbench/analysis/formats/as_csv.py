"""CSV: a block for each table, after comment lines that say what it is of. Values are raw: shares, not percentages."""

import csv
import io

from cooperbench.analysis.tables.table import Column, Report, ReportTable, Value


def to_csv(report: Report) -> str:
    """Write a report as CSV."""
    return "\n".join(_block(table, report) for table in report.tables)


def _block(table: ReportTable, report: Report) -> str:
    out = io.StringIO()
    for line in (
        f"{table.key}: {table.title}",
        *map(str, table.provenance),
        f"intervals: {table.method}",
        *table.notes,
    ):
        out.write(f"# {_line(line)}\n")
    for sentence in report.summary:
        out.write(f"# {_line(sentence)}\n")
    writer = csv.writer(out, lineterminator="\n")
    pairs = [any(isinstance(row[index], tuple) for row in table.rows) for index in range(len(table.columns))]
    writer.writerow([name for column, pair in zip(table.columns, pairs, strict=True) for name in _names(column, pair)])
    for row in table.rows:
        writer.writerow([cell for value, pair in zip(row, pairs, strict=True) for cell in _cells(value, pair)])
    return out.getvalue()


def _names(column: Column, pair: bool) -> list[str]:
    return [f"{column.name} low", f"{column.name} high"] if pair else [column.name]


def _cells(value: Value, pair: bool) -> list[object]:
    if pair:
        return list(value) if isinstance(value, tuple) else [None, None]
    return [value]


def _line(text: str) -> str:
    return " ".join(text.split())
