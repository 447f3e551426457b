"""What the statistics share: arrays of outcomes, pools, quantiles, and one refusal for each kind of unusable input."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cooperbench.errors import UsageError

Numbers: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = Sequence[object] | NDArray[np.generic]


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float


def outcomes(values: ArrayLike, name: str = "outcomes") -> Numbers:
    """Return outcomes between 0 and 1 as an array; a share stands for the mean over repeats. Raises `UsageError`."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise UsageError(f"{name} must be a list of at least one number", hint="leave out what has no outcome")
    if not np.all((numbers >= 0) & (numbers <= 1)):  # also false for nan
        raise UsageError(
            f"{name} must lie between 0 and 1, without nan", hint="leave out what is missing, or count it as 0"
        )
    return numbers


def pool_numbers(clusters: Labels | None, size: int) -> NDArray[np.intp]:
    """Give each of `size` outcomes the number of its pool; without `clusters` each outcome is a pool of its own. Raises `UsageError`."""
    if clusters is None:
        return np.arange(size, dtype=np.intp)
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(str(label), len(numbers)) for label in _each(clusters)]
    if len(found) != size:
        raise UsageError(
            f"there are {size} outcomes and {len(found)} clusters", hint="give one cluster for each outcome"
        )
    return np.asarray(found, dtype=np.intp)


def pool_sums(values: Numbers, pools: NDArray[np.intp]) -> Numbers:
    """Return the sum of the values in each pool."""
    return np.bincount(pools, weights=values).astype(np.float64)


def normal_quantile(confidence: float) -> float:
    """Return the two-sided quantile of the standard normal distribution. Raises `UsageError`."""
    return float(special.ndtri(0.5 + _checked(confidence) / 2))


def t_quantile(degrees: int, confidence: float = 0.95) -> float:
    """Return the two-sided quantile of Student's t with so many degrees of freedom. Raises `UsageError`."""
    return float(special.stdtrit(degrees, 0.5 + _checked(confidence) / 2))


def chi2_p(statistic: float) -> float:
    """Return the probability that a chi-square variable of one degree of freedom is at least `statistic`."""
    return float(special.chdtrc(1, statistic))


def intraclass_correlation(values: Numbers, pools: NDArray[np.intp]) -> float | None:
    """Estimate the correlation of outcomes in the same pool by one-way analysis of variance (Donner 1986).

    Negative where pools are more alike than chance. `None` where it is not defined: one pool, pools of one, or equal outcomes.
    """
    sizes = np.bincount(pools).astype(np.float64)
    count, total = len(sizes), len(values)
    if count < 2 or count == total:
        return None
    means = pool_sums(values, pools) / sizes
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (count - 1)
    within = float(np.sum((values - means[pools]) ** 2)) / (total - count)
    typical = (total - float(np.sum(sizes**2)) / total) / (count - 1)
    spread = between + (typical - 1) * within
    return None if spread <= 0 else (between - within) / spread


def clustered_error(values: Numbers, pools: NDArray[np.intp]) -> float:
    """Return the standard error of the mean, with pools and not outcomes as the unit (Liang & Zeger, times C/(C-1)).

    Miller 2024, arXiv 2411.00640, appendix A. Needs two pools.
    """
    count = int(pools.max()) + 1
    residuals = pool_sums(values - values.mean(), pools)
    return float(np.sqrt(np.sum(residuals**2) * count / (count - 1)) / len(values))


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence {confidence:g} is not between 0 and 1", hint="use 0.95")
    return confidence


def _each(clusters: Labels) -> Iterable[object]:
    return clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
