"""A report as text: Markdown, CSV, JSON, LaTeX, HTML. Each format is one module with one function."""

from collections.abc import Callable

from cooperbench.analysis.formats.as_csv import to_csv
from cooperbench.analysis.formats.as_html import to_html
from cooperbench.analysis.formats.as_json import to_json
from cooperbench.analysis.formats.as_latex import to_latex
from cooperbench.analysis.formats.as_markdown import to_markdown
from cooperbench.analysis.tables.table import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "json": to_json,
    "latex": to_latex,
    "html": to_html,
}

__all__ = ["FORMATS", "to_csv", "to_html", "to_json", "to_latex", "to_markdown"]
