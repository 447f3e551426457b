"""A pass rate with an interval that knows that groups of one pool of features are alike.

Simulated with 652 pairs in 29 pools, plain 95 % intervals cover 76, 57 and 47 % at intra-pool correlations of .05, .15 and .30;
the interval here covers about 94 %. `docs/design/statistics.md` has the numbers, `benchmarks/intervals.py` makes them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cooperbench.analysis.statistics._numbers import (
    Interval,
    Labels,
    clustered_error,
    intraclass_correlation,
    normal_quantile,
    outcomes,
    pool_numbers,
    t_quantile,
)
from cooperbench.errors import UsageError

CLUSTER_WILSON = "cluster Wilson"
PLAIN_WILSON = "plain Wilson"


@dataclass(frozen=True)
class RateEstimate:
    """A pass rate with its interval, and what is known about the pools behind it."""

    rate: float
    low: float
    high: float
    method: str
    """Of `low` and `high`."""
    n: int
    """Groups."""
    passed: float
    """Sum of the outcomes: a count, or with repeats a sum of shares."""
    clusters: int
    standard_error: float | None
    """`None` with one pool."""
    n_effective: float
    """Independent groups that would say as much."""
    design_effect: float
    icc: float | None
    """Correlation of outcomes in the same pool, which may be negative; `None` where it is not defined."""
    plain: Interval
    """The Wilson interval for independent groups."""


def rate(passed: ArrayLike, clusters: Labels | None = None, *, confidence: float = 0.95) -> RateEstimate:
    """Estimate a pass rate, with a cluster Wilson interval (Korn & Graubard; Franco et al. 2019).

    `passed` holds 0 or 1 for each group, or its mean over repeats; `clusters` the pool (`repo/task_id`) of each. Without clusters,
    and with a single one, the interval is the plain Wilson interval, and `method` says so. Raises `UsageError`.
    """
    values = outcomes(passed, "passed")
    pools = pool_numbers(clusters, len(values))
    total, count, mean = len(values), int(pools.max()) + 1, float(values.mean())
    plain = wilson(float(values.sum()), total, confidence=confidence)
    if clusters is None or count < 2:
        interval, method, error, effective = plain, PLAIN_WILSON, None, float(total)
    else:
        error = clustered_error(values, pools)
        spread = mean * (1 - mean)
        effective = min(spread / error**2, float(total)) if error > 0 else float(total)
        interval = _wilson(mean, effective, t_quantile(count - 1, confidence))
        method = CLUSTER_WILSON
    return RateEstimate(
        rate=mean,
        low=interval.low,
        high=interval.high,
        method=method,
        n=total,
        passed=round(float(values.sum()), 9),  # thirds of repeats add up to whole groups
        clusters=count,
        standard_error=error,
        n_effective=effective,
        design_effect=total / effective,
        icc=intraclass_correlation(values, pools),
        plain=plain,
    )


def wilson(passed: float, n: float, *, confidence: float = 0.95) -> Interval:
    """Return the Wilson interval of `passed` of `n` independent groups (Wilson 1927). Raises `UsageError`."""
    _check_counts(passed, n)
    return _wilson(passed / n, n, normal_quantile(confidence))


def clopper_pearson(passed: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return the exact interval of Clopper and Pearson, which covers at least what it says. Raises `UsageError`."""
    _check_counts(passed, n)
    tail = (1 - confidence) / 2
    low = 0.0 if passed == 0 else float(special.betaincinv(passed, n - passed + 1, tail))
    high = 1.0 if passed == n else float(special.betaincinv(passed + 1, n - passed, 1 - tail))
    return Interval(low, high)


def jeffreys(passed: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return the equal-tailed posterior interval under Jeffreys' prior, Beta(1/2, 1/2). Raises `UsageError`."""
    _check_counts(passed, n)
    tail = (1 - confidence) / 2
    low, high = special.betaincinv(passed + 0.5, n - passed + 0.5, [tail, 1 - tail])
    return Interval(float(low), float(high))


def newcombe_unpaired(passed_a: int, n_a: int, passed_b: int, n_b: int, *, confidence: float = 0.95) -> Interval:
    """Return an interval for the difference of two unpaired rates: Wilson limits, square and add (Newcombe 1998, method 10)."""
    (low_a, high_a), (low_b, high_b) = (
        wilson(passed, n, confidence=confidence) for passed, n in ((passed_a, n_a), (passed_b, n_b))
    )
    a, b = passed_a / n_a, passed_b / n_b
    return Interval(a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b))


def unpaired_z(passed_a: int, n_a: int, passed_b: int, n_b: int) -> tuple[float, float]:
    """Return the z statistic of two unpaired rates with a pooled variance, and its two-sided p. Raises `UsageError`."""
    _check_counts(passed_a, n_a)
    _check_counts(passed_b, n_b)
    pooled = (passed_a + passed_b) / (n_a + n_b)
    if pooled in (0, 1):
        return 0.0, 1.0
    z = (passed_a / n_a - passed_b / n_b) / math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return z, float(2 * special.ndtr(-abs(z)))


def _wilson(mean: float, n: float, quantile: float) -> Interval:
    square = quantile**2
    center = (mean + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * math.sqrt(mean * (1 - mean) / n + square / (4 * n**2))
    # At 0 and 1 the limit is exact; floating point leaves 1e-17.
    return Interval(0.0 if mean == 0 else max(0.0, center - half), 1.0 if mean == 1 else min(1.0, center + half))


def _check_counts(passed: float, n: float) -> None:
    if not (n > 0 and 0 <= passed <= n and np.isfinite(n)):
        raise UsageError(f"{passed:g} of {n:g} is not a rate", hint="give 0 to n passes of at least one group")
