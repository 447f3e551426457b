"""The parts of runs that the rows of a table are about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.tables.table import Column, Value
from cooperbench.records.rows import EpisodeRow


class By(StrEnum):
    """What the rows of a run are divided by."""

    REPO = "repo"
    TASK = "task"
    MODEL = "model"
    LANGUAGE = "language"
    SIZE = "size"
    SETTING = "setting"


_KEYS: dict[By, Callable[[EpisodeRow], str | int]] = {
    By.REPO: lambda row: row.repo,
    By.TASK: lambda row: row.task,
    By.MODEL: lambda row: "+".join(dict.fromkeys(row.models)),
    By.LANGUAGE: lambda row: row.language or "unknown",
    By.SIZE: lambda row: row.size,
    By.SETTING: lambda row: row.setting,
}


@dataclass(frozen=True)
class Slice:
    """Episodes of one run that belong into one row."""

    labels: tuple[Value, ...]
    """The first cells of the row."""
    sample: RunSample
    rows: tuple[EpisodeRow, ...]


def label_columns(by: By | None) -> tuple[Column, ...]:
    """Return the columns of the labels."""
    return (Column(name="run"), *((Column(name=by.value),) if by else ()))


def slices(samples: Sequence[RunSample], by: By | None = None) -> tuple[Slice, ...]:
    """Divide runs: a slice for each run, or for each value of `by` in each run."""
    if by is None:
        return tuple(Slice((sample.name,), sample, sample.rows) for sample in samples)
    made = []
    for sample in samples:
        found: dict[Any, list[EpisodeRow]] = {}
        for row in sample.rows:
            found.setdefault(_KEYS[by](row), []).append(row)
        for value, rows in sorted(found.items()):
            made.append(Slice((sample.name, value), sample, tuple(rows)))
    return tuple(made)
