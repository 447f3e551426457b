"""How well two labellers agree."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cooperbench.analysis.statistics._numbers import normal_quantile
from cooperbench.errors import UsageError


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa, its interval, and the plain share of equal labels."""

    kappa: float | None
    """`None` where both labellers used one and the same label only."""
    low: float | None
    high: float | None
    agreement: float
    n: int


def kappa(table: ArrayLike, *, confidence: float = 0.95) -> Kappa:
    """Compute Cohen's kappa from a square table: rows are the first labeller's labels, columns the second's.

    The standard error is that of Fleiss, Cohen & Everitt 1969, as in statsmodels. Raises `UsageError`.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() <= 0 or np.any(counts < 0):
        raise UsageError("kappa needs a square table of counts that are not all 0")
    agreement, total = float(np.trace(counts) / counts.sum()), int(counts.sum())
    shares = counts / counts.sum()
    if math.isclose(float(shares.sum(axis=0) @ shares.sum(axis=1)), 1.0):
        return Kappa(None, None, None, agreement, total)
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # its test against kappa = 0 divides by 0 in tables of one answer
        made = cohens_kappa(counts)
    value, half = float(made.kappa), normal_quantile(confidence) * float(made.std_kappa)
    return Kappa(value, value - half, value + half, agreement, total)
