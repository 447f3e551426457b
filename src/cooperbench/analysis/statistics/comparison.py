"""Two teams, or two settings, on the same groups: the difference, its interval, and a test that knows about pools."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cooperbench.analysis.statistics._numbers import (
    Interval,
    Labels,
    Numbers,
    chi2_p,
    clustered_error,
    intraclass_correlation,
    outcomes,
    pool_numbers,
    pool_sums,
    t_quantile,
)
from cooperbench.analysis.statistics.counts import PairCounts, mcnemar, newcombe
from cooperbench.errors import UsageError

EXACT_POOLS = 20
"""Up to so many pools all sign flips are enumerated: 2^20 sums take 20 ms."""
DRAWS = 20_000
"""Of the Monte Carlo test with more pools."""
SIGN_FLIP = "sign flips over pools"
OBUCHOWSKI = "Obuchowski"
MCNEMAR = "McNemar mid-p"
CLUSTER_T = "clustered t"
NEWCOMBE = "Newcombe"


@dataclass(frozen=True)
class DifferenceEstimate:
    """The difference of two pass rates on the same groups. All rates are shares, not percentages."""

    n: int
    """Groups that both have."""
    rate_a: float
    rate_b: float
    difference: float
    """`rate_a - rate_b`."""
    low: float
    high: float
    method: str
    """Of `low` and `high`."""
    p: float
    test: str
    """Of `p`."""
    clusters: int
    counts: PairCounts | None
    """`None` with repeats, where an outcome may be a share."""
    discordant: float
    """Mean absolute difference: with single outcomes, the share of groups that only one passed."""
    icc: float | None
    """Correlation of the differences in the same pool; `None` where it is not defined."""
    design_effect: float
    standard_error: float | None
    obuchowski_p: float | None
    sign_flip_p: float | None
    mcnemar_mid_p: float | None
    """If groups were independent, as in the paper."""
    newcombe: Interval | None
    """If groups were independent."""

    @property
    def significant(self) -> bool:
        """True when the default test rejects equal rates at 5 %."""
        return self.p < 0.05


class _Tests(NamedTuple):
    """The p values of one comparison."""

    clustered: bool
    flips: float
    obuchowski: float
    mid_p: float | None

    @classmethod
    def of(
        cls, delta: Numbers, unit: NDArray[np.intp], counts: PairCounts | None, *, clustered: bool, seed: int
    ) -> Self:
        flips, score = sign_flip(delta, unit, seed=seed), obuchowski(delta, unit)[1]
        return cls(clustered, flips, score, mcnemar(counts.only_a, counts.only_b).mid_p if counts else None)

    def default(self, pools: int) -> tuple[float, str]:
        if self.clustered:
            return (self.flips, SIGN_FLIP) if pools <= EXACT_POOLS else (self.obuchowski, OBUCHOWSKI)
        return (self.mid_p, MCNEMAR) if self.mid_p is not None else (self.flips, "sign flips over groups")


def paired(
    a: ArrayLike, b: ArrayLike, clusters: Labels | None = None, *, confidence: float = 0.95, seed: int = 0
) -> DifferenceEstimate:
    """Compare two arrays of outcomes (0 or 1, or means over repeats) of the same groups in the same order.

    The test is exact over all sign flips of whole pools up to 20 pools, and Obuchowski's above. Without clusters, and with a single
    one, it is McNemar's (a sign-flip test of groups where there are repeats); `test` says which. Raises `UsageError`.
    """
    first, second = _same_groups(outcomes(a, "a"), outcomes(b, "b"))
    delta, pools = first - second, pool_numbers(clusters, len(first))
    count = int(pools.max()) + 1
    clustered = clusters is not None and count > 1
    unit = pools if clustered else pool_numbers(None, len(delta))
    counts = _counts(first, second)
    independent = newcombe(counts, confidence=confidence) if counts else None
    error = clustered_error(delta, unit) if len(delta) > 1 else None
    interval, method = _interval(delta, unit, error, confidence, independent if not clustered or error == 0 else None)
    tests = _Tests.of(delta, unit, counts, clustered=clustered, seed=seed)
    p, test = tests.default(count)
    return DifferenceEstimate(
        n=len(delta),
        rate_a=float(first.mean()),
        rate_b=float(second.mean()),
        difference=float(delta.mean()),
        low=interval.low,
        high=interval.high,
        method=method,
        p=p,
        test=test,
        clusters=count,
        counts=counts,
        discordant=float(np.abs(delta).mean()),
        icc=intraclass_correlation(delta, pools),
        design_effect=_design_effect(delta, error) if clustered else 1.0,
        standard_error=error,
        obuchowski_p=tests.obuchowski if clustered else None,
        sign_flip_p=tests.flips,
        mcnemar_mid_p=tests.mid_p,
        newcombe=independent,
    )


def obuchowski(delta: ArrayLike, clusters: Labels | None) -> tuple[float, float]:
    """Return the score statistic `(sum_k d_k)^2 / sum_k d_k^2` over pools, and its chi-square p (Obuchowski 1998).

    `delta` is A's outcome minus B's for each group. Without any difference the statistic is 0 and p is 1.
    """
    sums = _pool_differences(delta, clusters)
    square = float(np.sum(sums**2))
    statistic = float(sums.sum()) ** 2 / square if square else 0.0
    return statistic, chi2_p(statistic)


def durkalski(delta: ArrayLike, clusters: Labels | None) -> tuple[float, float]:
    """Return Durkalski's statistic, which weighs pools and not groups equally, and its chi-square p (Stat Med 2003, 22:2417)."""
    values = np.asarray(delta, dtype=np.float64)
    means = _pool_differences(values, clusters) / np.bincount(pool_numbers(clusters, len(values)))
    square = float(np.sum(means**2))
    statistic = float(means.sum()) ** 2 / square if square else 0.0
    return statistic, chi2_p(statistic)


def sign_flip(delta: ArrayLike, clusters: Labels | None = None, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Return the two-sided p of the sum of differences when the sign of each whole pool is a coin flip.

    Exact up to 20 pools that differ; above, `draws` random flips with `seed`, so that p is at least `1 / (draws + 1)`.
    """
    sums = _pool_differences(delta, clusters)
    sums = sums[sums != 0]
    seen = abs(float(sums.sum())) - 1e-9
    if len(sums) <= EXACT_POOLS:
        totals = np.zeros(1)
        for size in sums:
            totals = np.concatenate([totals + size, totals - size])
        return float(np.mean(np.abs(totals) >= seen))
    signs = np.random.default_rng(seed).integers(0, 2, size=(draws, len(sums)), dtype=np.int8) * 2 - 1
    extreme = int(np.sum(np.abs(signs @ sums) >= seen))
    return (extreme + 1) / (draws + 1)


def _same_groups(first: Numbers, second: Numbers) -> tuple[Numbers, Numbers]:
    if len(first) != len(second):
        raise UsageError(f"a has {len(first)} groups and b has {len(second)}", hint="keep the groups that both have")
    return first, second


def _counts(first: Numbers, second: Numbers) -> PairCounts | None:
    if not np.all(np.isin(first, (0, 1)) & np.isin(second, (0, 1))):
        return None
    both, only_a = int(np.sum(first * second)), int(np.sum(first * (1 - second)))
    only_b = int(np.sum((1 - first) * second))
    return PairCounts(both, only_a, only_b, len(first) - both - only_a - only_b)


def _interval(
    delta: Numbers, unit: Labels, error: float | None, confidence: float, independent: Interval | None
) -> tuple[Interval, str]:
    """Return the interval of the mean difference; `independent` stands in where given."""
    if independent is not None:
        return independent, NEWCOMBE
    if error is None:
        return Interval(-1.0, 1.0), "none: one group"
    half = t_quantile(len(set(np.asarray(unit).tolist())) - 1, confidence) * error
    mean = float(delta.mean())
    return Interval(max(-1.0, mean - half), min(1.0, mean + half)), CLUSTER_T


def _design_effect(delta: Numbers, error: float | None) -> float:
    spread = float(delta.var()) / len(delta)
    return 1.0 if error is None or spread <= 0 else max(1.0, error**2 / spread)


def _pool_differences(delta: ArrayLike, clusters: Labels | None) -> Numbers:
    values = np.asarray(delta, dtype=np.float64)
    return pool_sums(values, pool_numbers(clusters, len(values)))
