"""Print reports: as tables for people, or in another format as text."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cooperbench.cli.output import console

if TYPE_CHECKING:
    from cooperbench.analysis.tables.table import Report, ReportTable

format_option = click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "md", "csv", "json", "latex", "html"]),
    default="table",
    show_default=True,
    help="How to print it. CSV and JSON have shares, not percentages.",
)
output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write it to."
)
only_option = click.option("--table", "only", multiple=True, help="Only this table, by its name. May be repeated.")


def print_report(report: "Report", kind: str, output: Path | None, only: tuple[str, ...] = ()) -> None:
    """Print a report, or write it to a file. Raises `UnknownNameError` for a table that it does not have."""
    report = _chosen(report, only)
    if kind == "table" and output is None:
        _print_tables(report)
        return
    from cooperbench.analysis.formats import FORMATS
    from cooperbench.records import write_bytes

    text = FORMATS["md" if kind == "table" else kind](report)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_bytes(output, text.encode())
        click.echo(f"written: {output}")


def _chosen(report: "Report", only: tuple[str, ...]) -> "Report":
    from cooperbench.errors import UnknownNameError

    known = [table.key for table in report.tables]
    for name in only:
        if name not in known:
            raise UnknownNameError("table", name, known)
    tables = tuple(table for table in report.tables if not only or table.key in only)
    return report.model_copy(update={"tables": tables})


def _print_tables(report: "Report") -> None:
    out = console()
    for sentence in report.summary:
        out.print(sentence, markup=False, style="bold", soft_wrap=True)
    for each in report.provenance:
        out.print(str(each), markup=False, soft_wrap=True)
    for table in report.tables:
        out.print()
        out.print(f"{table.title}  [{table.key}]", markup=False, style="bold")
        _print_table(table)
        out.print(f"of {table.basis}; intervals: {table.method}", markup=False, soft_wrap=True, style="dim")
        for note in table.notes:
            out.print(note, markup=False, soft_wrap=True, style="dim")


def _print_table(table: "ReportTable") -> None:
    from rich.table import Table
    from rich.text import Text

    from cooperbench.analysis.tables.table import CellKind, written

    shown = Table(box=None, pad_edge=False)
    for column in table.columns:
        text = column.kind is CellKind.TEXT
        shown.add_column(column.name, justify="left" if text else "right", overflow="fold")
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        shown.add_row(*(Text(written(value, column.kind)) for value, column in cells))
    console().print(shown)
