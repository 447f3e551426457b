"""Intervals for ratios and other figures without a formula: whole pools are drawn with replacement."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cooperbench.analysis.statistics._numbers import Interval, Labels, Numbers, pool_numbers
from cooperbench.errors import UsageError

DRAWS = 2_000


@dataclass(frozen=True)
class BootstrapEstimate:
    """A ratio of sums, and the spread of it over resampled pools."""

    value: float
    low: float
    high: float
    mean: float
    sd: float
    draws: int
    exact: bool
    """True when all resamples were enumerated."""
    distinct: int
    """Different values among the resamples."""


def bootstrap_ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    clusters: Labels | None,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> BootstrapEstimate:
    """Estimate the sum of `numerator` over the sum of `denominator`, with a percentile interval over resampled pools.

    All resamples are enumerated where there are at most `draws`. Those in which the denominator is 0 are left out.
    Passes per dollar is `bootstrap_ratio(passed, cost, clusters)`; a rate has a denominator of ones. Raises `UsageError`.
    """
    tops, bottoms = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if tops.shape != bottoms.shape or tops.ndim != 1 or bottoms.sum() <= 0:
        raise UsageError("a ratio needs two lists of equal length, and a denominator above 0")
    pools = pool_numbers(clusters, len(tops))
    above, below = np.bincount(pools, weights=tops), np.bincount(pools, weights=bottoms)
    drawn, exact = _draws(len(above), draws, seed)
    sums = below[drawn].sum(axis=1)
    ratios = above[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
    interval = percentile_interval(ratios, confidence)
    return BootstrapEstimate(
        value=float(tops.sum() / bottoms.sum()),
        low=interval.low,
        high=interval.high,
        mean=float(ratios.mean()),
        sd=float(ratios.std()),
        draws=len(ratios),
        exact=exact,
        distinct=len(set(np.round(ratios, 12).tolist())),
    )


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    clusters: Labels | None,
    size: int,
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return the percentile interval of any statistic of the chosen outcomes' positions; it may return nan, which is left out."""
    pools = pool_numbers(clusters, size)
    members = [np.flatnonzero(pools == pool) for pool in range(int(pools.max()) + 1)]
    drawn, _ = _draws(len(members), draws, seed)
    values = np.asarray([statistic(np.concatenate([members[pool] for pool in row])) for row in drawn])
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise UsageError("the statistic is not defined in any resample")
    return percentile_interval(values, confidence)


def percentile_interval(values: Numbers, confidence: float) -> Interval:
    """Return the middle share of values, between linear quantiles."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail], method="linear")
    return Interval(float(low), float(high))


def _draws(pools: int, draws: int, seed: int) -> tuple[NDArray[np.intp], bool]:
    """Return the pools of each resample, and whether these are all resamples there are."""
    if pools**pools <= draws:
        return np.asarray(list(product(range(pools), repeat=pools)), dtype=np.intp), True
    return np.random.default_rng(seed).integers(0, pools, size=(draws, pools), dtype=np.intp), False
