"""How many groups a comparison needs, and what a number of groups can show.

Independent groups: Connor's formula for large numbers, enumeration of McNemar's mid-p test for small ones. Groups in pools: the
design effect, and that few pools make the clustered test weaker than its design effect alone (82 % power instead of 87 % for 652
groups in 29 pools without any correlation; simulated in `benchmarks/intervals.py`). "652 pairs detect 5 to 6 points" holds for
independent groups only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from cooperbench.analysis.statistics._numbers import Numbers, normal_quantile
from cooperbench.analysis.statistics.counts import mcnemar
from cooperbench.errors import UsageError

EXACT_BELOW = 200
"""Independent groups up to which power is enumerated: exact, in 50 ms."""
PUBLISHED_POOLS = (66, *[45] * 5, *[36] * 2, *[28] * 2, *[21] * 4, *[15] * 3, *[10] * 8, *[6] * 4)
"""Pairs in each pool: 652 in 29, as the published numbers of features for each repository allow. A few large pools hold most."""


MOST_GROUPS = 1_000_000


@dataclass(frozen=True)
class PowerEstimate:
    """What `groups` paired groups can show. Effects and discordance are shares, not percentages."""

    groups: int
    effect: float
    """Difference of the two rates that is found with the given power."""
    power: float
    alpha: float
    discordant: float
    """Share of groups that only one of the two passes."""
    icc: float
    """Correlation of the differences in the same pool."""
    pool_size: float
    """Groups of the same pool that a group has on average, itself included; 1 when groups are taken as independent."""
    design_effect: float

    @property
    def independent(self) -> float:
        """Groups that would say as much if they were independent."""
        return self.groups / self.design_effect


def power(
    groups: int | None = None,
    effect: float | None = None,
    *,
    discordant: float = 0.3,
    icc: float = 0.0,
    pool_size: float | None = None,
    target: float = 0.8,
    alpha: float = 0.05,
) -> PowerEstimate:
    """Plan a paired comparison: the smallest effect that `groups` show, the groups for an `effect`, or the power of both.

    `pool_size` is the average number of groups in a group's pool. By default groups are independent without a correlation, and with
    one they are drawn from the published pools. Raises `UsageError`, also where no number of groups from these pools is enough.
    """
    _check(groups, effect, discordant, icc, target, alpha, pool_size)

    def power_of(number: float, difference: float) -> float:
        size = _pool_size(number, icc, pool_size)
        return clustered_power(number, difference, discordant, icc=icc, pool_size=size, alpha=alpha)

    independent = pool_size == 1 or (pool_size is None and icc == 0)
    reached = target
    if groups is None:
        assert effect is not None
        wanted = effect
        if independent:
            groups = math.ceil(needed_pairs(effect, discordant, target=target, alpha=alpha) - 1e-9)
        else:
            groups = _groups_for(lambda number: power_of(number, wanted) - target, effect, icc)
    elif effect is not None:
        reached = power_of(groups, effect)
    elif independent:
        effect = detectable_effect(groups, discordant, target=target, alpha=alpha)
    else:
        number = groups
        effect = _smallest(lambda difference: power_of(number, difference) - target, 1e-9, discordant)
    size = _pool_size(groups, icc, pool_size)
    return PowerEstimate(groups, effect, reached, alpha, discordant, icc, size, design_effect(icc, size))


def design_effect(icc: float, pool_size: float) -> float:
    """Return the factor by which groups of one pool inflate the variance: `1 + (pool_size - 1) icc`, at least 1 (Kish)."""
    return max(1.0, 1.0 + (max(pool_size, 1.0) - 1.0) * icc)


def published_pool_size(groups: float) -> float:
    """Return the average size of a group's pool when so many groups are drawn from the published pools."""
    total = sum(PUBLISHED_POOLS)
    shared = sum(size * (size - 1) for size in PUBLISHED_POOLS) / (total * (total - 1))
    return 1.0 + (groups - 1) * shared


def needed_pairs(effect: float, discordant: float, *, target: float = 0.8, alpha: float = 0.05) -> float:
    """Return the independent pairs that McNemar's test needs (Connor 1987, Biometrics 43:207), not rounded."""
    two_sided, one_sided = normal_quantile(1 - alpha), float(special.ndtri(target))
    root = two_sided * math.sqrt(discordant) + one_sided * math.sqrt(max(discordant - effect**2, 0.0))
    return root**2 / effect**2


def detectable_effect(pairs: float, discordant: float, *, target: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest difference that so many independent pairs find; `nan` where even a difference in all discordant pairs is missed."""

    def excess(effect: float) -> float:
        return needed_pairs(effect, discordant, target=target, alpha=alpha) - pairs

    return _smallest(lambda effect: -excess(effect), 1e-9, discordant)


def paired_power(pairs: float, effect: float, discordant: float, *, alpha: float = 0.05) -> float:
    """Return the power of McNemar's test: enumerated mid-p up to 200 pairs, normal approximation above."""
    if pairs <= EXACT_BELOW:
        low = math.floor(pairs)
        shares = {low: 1 - (pairs - low), low + 1: pairs - low}
        split = (discordant + effect) / 2, (discordant - effect) / 2
        return sum(weight * exact_power(n, *split, alpha=alpha) for n, weight in shares.items() if n > 0 and weight > 0)
    root = math.sqrt(max(discordant - effect**2, 1e-12))
    return float(special.ndtr((effect * math.sqrt(pairs) - normal_quantile(1 - alpha) * math.sqrt(discordant)) / root))


def clustered_power(
    groups: float, effect: float, discordant: float, *, icc: float, pool_size: float, alpha: float = 0.05
) -> float:
    """Return the power of Obuchowski's test, of McNemar's where each pool has one group.

    Its statistic is a monotone function of Student's t over pools, whose power is that of a noncentral t. Unequal pools count as
    `groups / pool_size` equal ones (Kish), of which those without a discordant group say nothing. Within 3 points of simulations
    of 50 to 652 groups.
    """
    if pool_size == 1:
        return paired_power(groups, effect, discordant, alpha=alpha)
    pools = groups / pool_size * (1 - (1 - discordant) ** pool_size)
    square = normal_quantile(1 - alpha) ** 2
    # The statistic is at most the number of pools, and sign flips of five pools have no p below 2 / 2^5 = .0625.
    if pools <= square or 2 ** (1 - pools) > alpha:
        return 0.0
    critical = math.sqrt((pools - 1) * square / (pools - square))
    spread = math.sqrt(max(discordant - effect**2, 1e-12) * design_effect(icc, pool_size) / groups)
    return float(1 - special.nctdtr(pools - 1, effect / spread, critical))


def exact_power(pairs: int, only_a: float, only_b: float, *, alpha: float = 0.05, mid_p: bool = True) -> float:
    """Return the chance that McNemar's mid-p (or exact) test rejects, given the probability of each discordant outcome.

    Sums over every number of discordant pairs and every split of them. Under equal probabilities it is the size of the test.
    """
    discordant = only_a + only_b
    if discordant <= 0:
        return 0.0
    total = 0.0
    chances = _binomial(pairs, discordant)
    for count in range(1, pairs + 1):
        splits = _binomial(count, only_a / discordant)
        rejected = [index for index in range(count + 1) if _p(index, count - index, mid_p) <= alpha]
        total += float(chances[count] * splits[rejected].sum())
    return total


def _groups_for(excess: Callable[[float], float], effect: float, icc: float) -> int:
    found = _smallest(excess, 2, MOST_GROUPS)
    if math.isnan(found):
        raise UsageError(
            f"at a correlation of {icc:g} no number of groups from these pools shows {100 * effect:g} points",
            hint="take groups of more tasks (--pool-size), or a larger --effect",
        )
    return math.ceil(found - 1e-6)


def _smallest(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function becomes positive; `low` if it is so at once, `nan` if nowhere."""
    if excess(low) >= 0:
        return low
    return float(optimize.brentq(excess, low, high)) if excess(high) >= 0 else math.nan


def _pool_size(groups: float, icc: float, pool_size: float | None) -> float:
    if pool_size is not None:
        return pool_size
    return published_pool_size(groups) if icc else 1.0


def _p(only_a: int, only_b: int, mid_p: bool) -> float:
    test = mcnemar(only_a, only_b)
    return test.mid_p if mid_p else test.exact_p


def _binomial(n: int, share: float) -> Numbers:
    counts = np.arange(n + 1)
    logs = special.gammaln(n + 1) - special.gammaln(counts + 1) - special.gammaln(n - counts + 1)
    return np.asarray(np.exp(logs + special.xlogy(counts, share) + special.xlog1py(n - counts, -share)))


def _check(
    groups: int | None,
    effect: float | None,
    discordant: float,
    icc: float,
    target: float,
    alpha: float,
    pool_size: float | None,
) -> None:
    if groups is None and effect is None:
        raise UsageError("nothing to plan: neither groups nor an effect is given", hint="--groups 50, or --effect 5")
    if groups is not None and groups < 2:
        raise UsageError(f"{groups} groups cannot be compared", hint="--groups 2 or more")
    if not 0 < discordant <= 1:
        raise UsageError(f"discordant {discordant:g} is not a share above 0 and up to 1", hint="--discordant 0.3")
    if effect is not None and not 0 < effect <= discordant:
        raise UsageError(
            f"an effect of {100 * effect:g} points is not possible when {100 * discordant:g} % of the groups differ",
            hint="an effect above 0 and at most the discordant share",
        )
    if not -1 <= icc <= 1:
        raise UsageError(f"a correlation of {icc:g} is not between -1 and 1", hint="--icc 0.1")
    if not (0 < target < 1 and 0 < alpha < 1):
        raise UsageError("power and alpha are shares between 0 and 1")
    if pool_size is not None and pool_size < 1:
        raise UsageError(f"a pool of {pool_size:g} groups is not possible", hint="--pool-size 1 or more")
