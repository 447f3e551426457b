"""Dose and response: does a pass rate fall with the share of dropped messages, or with the size of the team?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cooperbench.analysis.statistics._numbers import Labels, Numbers, outcomes, pool_numbers
from cooperbench.errors import UsageError


@dataclass(frozen=True)
class Trend:
    """The Cochran-Armitage test, and the slope of a logistic regression on the dose."""

    z: float
    """Negative where the rate falls as the dose rises."""
    p: float
    intercept: float
    slope: float
    """Change of the log odds for each unit of the dose."""
    slope_error: float


@dataclass(frozen=True)
class ClusteredTrend:
    """A logistic slope whose standard error allows for pools that are seen at several doses."""

    slope: float
    slope_error: float
    z: float
    p: float
    correlation: float
    """Working correlation of outcomes in the same pool."""


def trend(passed: ArrayLike, n: ArrayLike, dose: ArrayLike) -> Trend:
    """Test for a trend in independent rates, `passed` of `n` at each dose (Cochran 1954, Armitage 1955; variance N, not N - 1).

    Groups that are seen at several doses are not independent: use `clustered_trend`. Raises `UsageError`.
    """
    counts, totals, doses = (np.asarray(values, dtype=np.float64) for values in (passed, n, dose))
    if not counts.shape == totals.shape == doses.shape or counts.ndim != 1 or len(set(doses.tolist())) < 2:
        raise UsageError("a trend needs passed, n and dose of equal length, and two doses")
    if np.any(counts < 0) or np.any(counts > totals) or np.any(totals <= 0):
        raise UsageError("a trend needs 0 <= passed <= n, and n > 0")
    total, mean = float(totals.sum()), float(counts.sum() / totals.sum())
    center = float(np.sum(totals * doses)) / total
    score = float(np.sum((counts - totals * mean) * doses))
    variance = mean * (1 - mean) * float(np.sum(totals * (doses - center) ** 2))
    z = score / math.sqrt(variance) if variance > 0 else 0.0
    intercept, slope, error = _logit(counts, totals, doses)
    return Trend(z, float(2 * special.ndtr(-abs(z))), intercept, slope, error)


def clustered_trend(passed: ArrayLike, dose: ArrayLike, clusters: Labels) -> ClusteredTrend:
    """Fit a logistic slope by generalized estimating equations with exchangeable pools (Liang & Zeger 1986).

    `passed` and `dose` have a value for each episode. Raises `UsageError`.
    """
    values = outcomes(passed, "passed")
    doses = np.asarray(dose, dtype=np.float64)
    pools = pool_numbers(clusters, len(values))
    if doses.shape != values.shape or len(set(doses.tolist())) < 2 or int(pools.max()) < 1:
        raise UsageError("a clustered trend needs one dose for each outcome, two doses and two clusters")
    if values.min() == values.max():
        raise UsageError("all outcomes are equal: there is nothing to fit")
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    design = np.column_stack([np.ones_like(doses), doses])
    fitted = GEE(values, design, groups=pools, family=Binomial(), cov_struct=Exchangeable()).fit()
    return ClusteredTrend(
        slope=float(fitted.params[1]),
        slope_error=float(fitted.bse[1]),
        z=float(fitted.tvalues[1]),
        p=float(fitted.pvalues[1]),
        correlation=float(fitted.model.cov_struct.dep_params),
    )


def _logit(passed: Numbers, n: Numbers, dose: Numbers) -> tuple[float, float, float]:
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    design = np.column_stack([np.ones_like(dose), dose])
    fitted = GLM(np.column_stack([passed, n - passed]), design, family=Binomial()).fit()
    return float(fitted.params[0]), float(fitted.params[1]), float(fitted.bse[1])
