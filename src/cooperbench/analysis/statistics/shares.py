"""Figures that are arithmetic, with the rules for what is missing, zero or unknown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from cooperbench.analysis.statistics._numbers import Numbers, t_quantile
from cooperbench.errors import UsageError


class MissingBounds(NamedTuple):
    """A rate when some planned groups have no verdict."""

    completed_rate: float | None
    """Of those with a verdict; `None` without any."""
    missing_fail: float
    """With what is missing counted as failed."""
    worst: float
    best: float
    """With what is missing counted as passed."""


class CoordinationGap(NamedTuple):
    """What splitting the work costs."""

    gap: float
    """Solo minus coop."""
    relative_loss: float | None
    """The gap as a share of solo; `None` where nothing passed solo."""
    ratio: float | None
    """Coop over solo."""


@dataclass(frozen=True)
class RatioSummary:
    """A ratio over several runs or conversations, in both of the ways that papers use."""

    ratio_of_sums: float | None
    """`None` where the denominators sum to 0."""
    mean_of_ratios: float | None
    """Over those with a denominator above 0."""
    undefined: int
    """How many have a denominator of 0."""


@dataclass(frozen=True)
class PairedCost:
    """Costs, tokens or seconds of two teams on the same groups."""

    mean_difference: float
    low: float
    high: float
    t: float
    t_p: float
    wilcoxon_p: float | None
    """Signed ranks, exact up to 50 groups; `None` where nothing differs."""


def missing_bounds(passed: int, completed: int, planned: int) -> MissingBounds:
    """Return the rate of the completed groups, and its bounds over all planned ones. Raises `UsageError`."""
    if not 0 <= passed <= completed <= planned or planned == 0:
        raise UsageError(f"{passed} passed of {completed} completed of {planned} planned is not possible")
    least = passed / planned
    return MissingBounds(
        passed / completed if completed else None, least, least, (passed + planned - completed) / planned
    )


def coordination_gap(solo: float, coop: float) -> CoordinationGap:
    """Return gap, relative loss and ratio of two rates (or counts of as many groups)."""
    return CoordinationGap(solo - coop, (solo - coop) / solo if solo else None, coop / solo if solo else None)


def ratio_summary(numerators: Sequence[float], denominators: Sequence[float]) -> RatioSummary:
    """Return plans per question and the like; a zero denominator is counted, never dropped in silence."""
    pairs = list(zip(numerators, denominators, strict=True))
    defined = [top / bottom for top, bottom in pairs if bottom]
    total = math.fsum(denominators)
    return RatioSummary(
        ratio_of_sums=math.fsum(numerators) / total if total else None,
        mean_of_ratios=math.fsum(defined) / len(defined) if defined else None,
        undefined=len(pairs) - len(defined),
    )


def achieved_concurrency(durations: Sequence[float], wall: float) -> float:
    """Return the mean number of episodes at the same time: the sum of their seconds over the seconds from first start to last end."""
    if wall <= 0:
        raise UsageError(f"{wall:g} seconds are not a duration")
    return math.fsum(durations) / wall


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Return Spearman's rank correlation."""
    from scipy.stats import spearmanr

    return float(spearmanr(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)).statistic)


def fisher_p(passed_a: int, n_a: int, passed_b: int, n_b: int) -> float:
    """Return the two-sided p of Fisher's exact test for two unpaired rates."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[passed_a, n_a - passed_a], [passed_b, n_b - passed_b]]).pvalue)


def paired_cost(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> PairedCost:
    """Compare costs of the same groups: mean difference with its t interval, and Wilcoxon's test. Raises `UsageError`."""
    delta = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if delta.ndim != 1 or len(delta) < 2 or not np.all(np.isfinite(delta)):
        raise UsageError("a comparison of costs needs two groups, each with two known costs")
    mean, error = float(delta.mean()), float(delta.std(ddof=1)) / math.sqrt(len(delta))
    half = t_quantile(len(delta) - 1, confidence) * error
    if error == 0:
        return PairedCost(mean, mean, mean, math.inf if mean else 0.0, 0.0 if mean else 1.0, None)
    t = mean / error
    t_p = float(2 * special.stdtr(len(delta) - 1, -abs(t)))
    return PairedCost(mean, mean - half, mean + half, t, t_p, _wilcoxon(np.round(delta, 9)))


def _wilcoxon(delta: Numbers) -> float:
    """Return Wilcoxon's two-sided p. Rounded first: 1.1 and 1.0999999999999996 are a tie."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(delta, method="exact" if len(delta) <= 50 else "approx").pvalue)
