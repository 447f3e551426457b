"""`cooperbench report`: all tables on runs."""

from collections.abc import Sequence

from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.tables.effort import cost_table, messages_table
from cooperbench.analysis.tables.merging import capability_table, conflicts_table, stages_table
from cooperbench.analysis.tables.rates import missing_table, outcomes_table, rates_table, repeats_table
from cooperbench.analysis.tables.slices import By
from cooperbench.analysis.tables.table import Report


def make_report(samples: Sequence[RunSample], by: By | None = None) -> Report:
    """Build all tables that have something to say about the runs."""
    tables = [
        rates_table(samples, by),
        missing_table(samples, by),
        outcomes_table(samples, by),
        repeats_table(samples, by),
        conflicts_table(samples, by),
        stages_table(samples, by),
        capability_table(samples, by),
        cost_table(samples, by),
        messages_table(samples, by),
    ]
    return Report(
        title="Report on " + ", ".join(sample.name for sample in samples),
        provenance=tuple(sample.provenance for sample in samples),
        tables=tuple(table for table in tables if table is not None and table.rows),
    )
