"""Do the default statistics keep their promises? Simulated on the 652 pairs in 29 pools of the published data set.

    python benchmarks/intervals.py [simulations]

Coverage of the default 95 % interval of a rate (goal 93 to 97 %), size of the default paired test at 5 % (goal 4 to 6.5 %), and its
power against what the planner promises (goal: within 3 points). The defaults that one would use without pools stand beside them.
"""

import sys

import numpy as np

from cooperbench.analysis.statistics import PUBLISHED_POOLS, mcnemar, paired, power, rate, wilson
from cooperbench.analysis.statistics.planning import design_effect

POOLS = np.repeat(np.arange(len(PUBLISHED_POOLS)), PUBLISHED_POOLS)
LABELS = POOLS.tolist()
CORRELATIONS = (0.0, 0.05, 0.15, 0.30)
RATES = (0.28, 0.48)
SPREADS = (0.0, 0.05, 0.10)
PLANS = ((652, 0.06, 0.0), (652, 0.08, 0.05), (652, 0.1, 0.1), (200, 0.12, 0.05), (100, 0.15, 0.0), (50, 0.18, 0.03))
"""Groups, effect, and the standard deviation of the pools' differences."""


def main() -> None:
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{len(POOLS)} pairs in {len(PUBLISHED_POOLS)} pools, {simulations} simulations\n")
    coverage(simulations)
    size(simulations)
    planned(simulations)


def coverage(simulations: int) -> None:
    print("rate  correlation  coverage of the default  of plain Wilson  goal .93 to .97")
    for truth in RATES:
        for correlation in CORRELATIONS:
            rng = np.random.default_rng(1)
            hits = np.zeros(2)
            for _ in range(simulations):
                passed = rng.random(len(POOLS)) < pool_rates(rng, truth, correlation)[POOLS]
                estimate = rate(passed, LABELS)
                plain = wilson(int(passed.sum()), len(passed))
                hits += [estimate.low <= truth <= estimate.high, plain.low <= truth <= plain.high]
            default, independent = hits / simulations
            print(f"{truth:4.2f}  {correlation:11.2f}  {default:23.3f}  {independent:15.3f}")


def size(simulations: int) -> None:
    print("\nsd of the pools' differences  rejects: the default  McNemar mid-p  goal .04 to .065")
    for spread in SPREADS:
        rng = np.random.default_rng(2)
        rejected = np.zeros(2)
        for _ in range(simulations):
            a, b = outcomes_of_two(rng, rng.normal(0, spread, len(PUBLISHED_POOLS)), 0.2)
            estimate = paired(a, b, LABELS)
            assert estimate.counts is not None
            rejected += [estimate.p < 0.05, mcnemar(estimate.counts.only_a, estimate.counts.only_b).mid_p < 0.05]
        default, independent = rejected / simulations
        print(f"{spread:29.2f}  {default:20.3f}  {independent:13.3f}")


def planned(simulations: int) -> None:
    print("\ngroups  effect  sd of the pools' differences  power, simulated  planned  goal: within .03")
    for groups, effect, spread in PLANS:
        rng = np.random.default_rng(3)
        found, weights = 0, []
        for _ in range(simulations):
            chosen = np.sort(rng.choice(len(POOLS), groups, replace=False))
            pools = POOLS[chosen]
            sizes = np.bincount(pools)
            weights.append(float(np.sum(sizes.astype(float) ** 2) / groups))
            a, b = outcomes_of_two(rng, rng.normal(effect, spread, len(PUBLISHED_POOLS)), 0.25, pools)
            found += paired(a, b, pools.tolist()).p < 0.05
        correlation = spread**2 / (0.25 - effect**2)
        plan = power(groups, effect, discordant=0.25, icc=correlation, pool_size=float(np.mean(weights)))
        assert plan.design_effect == design_effect(correlation, float(np.mean(weights)))
        print(f"{groups:6}  {effect:6.2f}  {spread:28.2f}  {found / simulations:16.3f}  {plan.power:7.3f}")


def pool_rates(rng: np.random.Generator, mean: float, correlation: float) -> np.ndarray:
    """Draw the rate of each pool from a beta distribution with this mean and intra-pool correlation."""
    if correlation == 0:
        return np.full(len(PUBLISHED_POOLS), mean)
    total = 1 / correlation - 1
    return rng.beta(mean * total, (1 - mean) * total, len(PUBLISHED_POOLS))


def outcomes_of_two(
    rng: np.random.Generator, shifts: np.ndarray, discordant: float, pools: np.ndarray = POOLS
) -> tuple[np.ndarray, np.ndarray]:
    """Draw outcomes of A and B: a share of the pairs is discordant, and the pool decides how far they lean to A."""
    lean = np.clip(shifts, -discordant, discordant)[pools]
    draw = rng.random(len(pools))
    only_a = draw < (discordant + lean) / 2
    only_b = ~only_a & (draw < discordant)
    both = rng.random(len(pools)) < 0.3
    return only_a | (both & ~only_b), only_b | (both & ~only_a)


if __name__ == "__main__":
    main()
