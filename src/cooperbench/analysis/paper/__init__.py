"""The tables of the CooperBench paper (arXiv 2601.13295) from one's own runs, in its layout, with its values beside."""

from cooperbench.analysis.paper.report import make_paper_report

__all__ = ["make_paper_report"]
