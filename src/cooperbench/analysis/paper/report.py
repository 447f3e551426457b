"""All tables of the paper that the runs have data for; the notes say what the others need."""

from collections.abc import Sequence

from cooperbench.analysis.paper.communication import communication_table
from cooperbench.analysis.paper.difficulty import auc_table, curve_table
from cooperbench.analysis.paper.matching import match_models
from cooperbench.analysis.paper.solo_coop import solo_coop_table
from cooperbench.analysis.paper.team_size import team_size_table
from cooperbench.analysis.samples import RunSample
from cooperbench.analysis.tables.effort import cost_table
from cooperbench.analysis.tables.merging import capability_table, conflicts_table, stages_table
from cooperbench.analysis.tables.table import Report


def make_paper_report(samples: Sequence[RunSample]) -> Report:
    """Build the paper's tables. Raises `UsageError` for solo and coop runs of one model that are not comparable."""
    matched = match_models(samples)
    tables = [
        *((solo_coop_table(matched), curve_table(matched), auc_table(matched)) if matched else ()),
        stages_table(samples, None),
        conflicts_table(samples, None),
        communication_table(samples),
        team_size_table(samples),
        capability_table(samples, None),
        cost_table(samples, None),
    ]
    summary = () if matched else ("No model has a solo and a coop run: the tables of the gap need both.",)
    return Report(
        title="The paper's tables from " + ", ".join(sample.name for sample in samples),
        summary=summary,
        provenance=tuple(sample.provenance for sample in samples),
        tables=tuple(table for table in tables if table.rows),
    )
