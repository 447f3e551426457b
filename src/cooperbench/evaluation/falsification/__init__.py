"""Prove a pass: run a suite that passed again with expectations of its tests broken, which the work must fail as the gold patch does."""

from cooperbench.evaluation.falsification.falsifier import falsify, falsifying, new_seed, pool_of
from cooperbench.evaluation.falsification.gold_runs import FeatureRuns
from cooperbench.evaluation.falsification.pool import EDITS, Pool

__all__ = ["EDITS", "FeatureRuns", "Pool", "falsify", "falsifying", "new_seed", "pool_of"]
