"""Labels beside a run: checked against its record, given by judge models, compared between labellers, counted in tables."""

from cooperbench.analysis.labels.check import check_labels
from cooperbench.analysis.labels.judge import SPEECH_ACTS, SYMPTOMS, Complete, judge_episode
from cooperbench.analysis.labels.messages import CommunicationTotals, communication_totals
from cooperbench.analysis.labels.pairs import LabellerPair, labeller_pairs

__all__ = [
    "SPEECH_ACTS",
    "SYMPTOMS",
    "CommunicationTotals",
    "Complete",
    "LabellerPair",
    "check_labels",
    "communication_totals",
    "judge_episode",
    "labeller_pairs",
]
