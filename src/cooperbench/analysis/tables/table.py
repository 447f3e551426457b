"""A table as data: columns with a kind, rows of plain values, and what a reader has to know to trust them."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from cooperbench.analysis.samples import Provenance
from cooperbench.records import Record

Value = str | int | float | tuple[float, float] | None
"""A cell. A pair is an interval; `None` is unknown or not defined, never 0."""


class CellKind(StrEnum):
    """What the values of a column are, which decides how they are written."""

    TEXT = "text"
    COUNT = "count"
    NUMBER = "number"
    SHARE = "share"
    """A share from 0 to 1, written in percent. An interval of shares is a pair."""
    POINTS = "points"
    """A difference of shares, written in percentage points with its sign."""
    DOLLARS = "dollars"
    SECONDS = "seconds"
    P = "p"


class Column(Record):
    """One column."""

    name: str
    kind: CellKind = CellKind.TEXT


class ReportTable(Record):
    """A table that says what it is of."""

    key: str = Field(pattern=r"^[a-z-]+$", description="Names it in files and in documentation.")
    title: str = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[tuple[Value, ...], ...]
    method: str = Field(min_length=1, description="How intervals were computed, or that there are none.")
    notes: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        if len({column.name for column in self.columns}) < len(self.columns):
            raise ValueError(f"two columns of {self.key} have the same name")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of {self.key} does not have {len(self.columns)} cells")
        return self

    @property
    def basis(self) -> str:
        """The runs behind the numbers, in one line."""
        return "; ".join(f"{each.run} ({each.setting}, {each.policy})" for each in self.provenance)


class Report(Record):
    """Tables on the same runs."""

    title: str
    summary: tuple[str, ...] = Field((), description="Plain sentences on top: what may be concluded.")
    provenance: tuple[Provenance, ...] = Field(min_length=1)
    tables: tuple[ReportTable, ...]


def written(value: Value, kind: CellKind) -> str:
    """Write a cell for people."""
    match value:
        case None:
            return "?"
        case str():
            return value
        case tuple():
            return _interval(value, kind)
    return _number(float(value), kind)


def _number(value: float, kind: CellKind) -> str:
    match kind:
        case CellKind.SHARE:
            return f"{100 * value:.1f} %"
        case CellKind.POINTS:
            return f"{100 * value:+.1f}"
        case CellKind.DOLLARS:
            return f"${value:,.2f}"
        case CellKind.SECONDS:
            return f"{value:,.1f} s"
        case CellKind.P:
            return "< .0001" if value < 0.0001 else f"{value:.4f}"
        case CellKind.COUNT:
            return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _interval(value: tuple[float, float], kind: CellKind) -> str:
    low, high = value
    match kind:
        case CellKind.SHARE:
            return f"{100 * low:.1f} to {100 * high:.1f} %"
        case CellKind.POINTS:
            return f"{100 * low:+.1f} to {100 * high:+.1f}"
    return f"{_number(low, kind)} to {_number(high, kind)}"
