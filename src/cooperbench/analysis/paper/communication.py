"""How much members talk, and how concretely."""

import contextlib
import re
from collections.abc import Iterator, Sequence

from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.statistics import ratio_summary
from cooperbench.analysis.tables.table import CellKind, Column, ReportTable, Value
from cooperbench.errors import RecordError
from cooperbench.records import ConversationMessage, EpisodeDirectory, Setting
from cooperbench.records.readers import read_conversation

PATH = re.compile(
    r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.(?:py|pyi|go|rs|ts|tsx|js|jsx|c|h|cpp|java|md|toml|json|ya?ml|cfg|txt)\b"
)
"""A file with a suffix that source code has, such as `src/click/core.py`."""
LINE = re.compile(r"\blines?\s+~?\d+|(?<=\w):\d+\b|\bL\d+\b", re.IGNORECASE)
"""A place in a file: `line 12`, `core.py:12`, `L12`."""


_COMMUNICATION_COLUMNS = (
    Column(name="run"),
    Column(name="messaging"),
    Column(name="conversations", kind=CellKind.COUNT),
    Column(name="messages", kind=CellKind.COUNT),
    Column(name="per conversation", kind=CellKind.NUMBER),
    Column(name="of all actions", kind=CellKind.SHARE),
    Column(name="mean of shares", kind=CellKind.SHARE),
    Column(name="without actions", kind=CellKind.COUNT),
    Column(name="name a file", kind=CellKind.SHARE),
    Column(name="name a line", kind=CellKind.SHARE),
)


def communication_table(samples: Sequence[RunSample]) -> ReportTable:
    """Build the table of messages: per conversation, as a share of all actions, and those that name a file or a line."""
    rows: list[tuple[Value, ...]] = []
    for sample in samples:
        talks = list(_conversations(sample)) if not Setting(sample.provenance.setting).alone else []
        texts = [message.message for talk, _ in talks for message in talk]
        if not talks:
            continue
        overhead = ratio_summary([len(talk) for talk, _ in talks], [steps for _, steps in talks])
        rows.append(
            (
                sample.name,
                "on" if sample.provenance.messaging else "off",
                len(talks),
                len(texts),
                len(texts) / len(talks),
                overhead.ratio_of_sums,
                overhead.mean_of_ratios,
                overhead.undefined,
                _share(texts, PATH),
                _share(texts, LINE),
            )
        )
    return ReportTable(
        key="communication",
        title="Communication",
        columns=_COMMUNICATION_COLUMNS,
        rows=tuple(rows),
        method="counts and shares, no intervals",
        notes=(
            "actions: the steps of all members; of all actions: sum over sum; mean of shares: over episodes with actions",
            "messages: sent by members, refused ones included, notices of the harness left out",
        ),
        provenance=tuple(sample.provenance for sample in samples),
    )


def _conversations(sample: RunSample) -> Iterator[tuple[Sequence[ConversationMessage], int]]:
    for row in sample.rows:
        if row.steps is None:
            continue
        with contextlib.suppress(FileNotFoundError, RecordError):
            yield read_conversation(EpisodeDirectory(sample.paths[row.episode])), row.steps


def _share(texts: Sequence[str], pattern: re.Pattern[str]) -> float | None:
    return sum(bool(pattern.search(text)) for text in texts) / len(texts) if texts else None
