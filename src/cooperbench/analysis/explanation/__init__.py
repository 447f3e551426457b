"""Why groups fail: causes, contested places and symbols, read from the record."""

from cooperbench.analysis.explanation.explain import explain_episode, explain_run
from cooperbench.analysis.explanation.models import (
    Cause,
    ChangedLines,
    ContestedPlace,
    ContestedSymbol,
    Explanation,
    FeatureCause,
    Mention,
)
from cooperbench.analysis.explanation.table import explanation_rows

__all__ = [
    "Cause",
    "ChangedLines",
    "ContestedPlace",
    "ContestedSymbol",
    "Explanation",
    "FeatureCause",
    "Mention",
    "explain_episode",
    "explain_run",
    "explanation_rows",
]
