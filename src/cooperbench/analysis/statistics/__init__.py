"""Statistics as plain functions on arrays: they know nothing of runs, and raise `UsageError` for what cannot be computed.

Libraries do what they have; here is the rest: cluster Wilson, the clustered paired test, Newcombe's interval, mid-p, Algorithm 1,
partners' strengths. numpy and `scipy.special` load with the room (0.3 s); statsmodels' submodules and `scipy.stats` (1 s) when used.
"""

from importlib.util import find_spec

from cooperbench.errors import MissingExtraError

if any(find_spec(name) is None for name in ("numpy", "scipy", "statsmodels")):
    raise MissingExtraError("statistics of runs", "analysis")

from cooperbench.analysis.statistics._numbers import Interval, t_quantile
from cooperbench.analysis.statistics.adjustment import StratifiedAssociation, adjust, stratified
from cooperbench.analysis.statistics.agreement import Kappa, kappa
from cooperbench.analysis.statistics.bootstrap import BootstrapEstimate, bootstrap_interval, bootstrap_ratio
from cooperbench.analysis.statistics.comparison import (
    DifferenceEstimate,
    durkalski,
    obuchowski,
    paired,
    sign_flip,
)
from cooperbench.analysis.statistics.counts import (
    McNemarTest,
    PairCounts,
    bonett_price,
    mcnemar,
    newcombe,
    tango,
)
from cooperbench.analysis.statistics.difficulty import (
    Bucket,
    DifficultyCurve,
    area,
    bucket_numbers,
    difficulty,
    difficulty_curve,
    leave_one_out,
    relative_difficulty,
    retention,
)
from cooperbench.analysis.statistics.planning import (
    PUBLISHED_POOLS,
    PowerEstimate,
    design_effect,
    detectable_effect,
    exact_power,
    needed_pairs,
    paired_power,
    power,
)
from cooperbench.analysis.statistics.rates import (
    RateEstimate,
    clopper_pearson,
    jeffreys,
    newcombe_unpaired,
    rate,
    unpaired_z,
    wilson,
)
from cooperbench.analysis.statistics.repeats import pass_at_k, pass_hat_k
from cooperbench.analysis.statistics.shares import (
    CoordinationGap,
    MissingBounds,
    PairedCost,
    RatioSummary,
    achieved_concurrency,
    coordination_gap,
    fisher_p,
    missing_bounds,
    paired_cost,
    ratio_summary,
    spearman,
)
from cooperbench.analysis.statistics.teams import (
    CrossPlay,
    Ranking,
    bradley_terry,
    cross_play,
    difference_rewards,
    shapley,
)
from cooperbench.analysis.statistics.trends import ClusteredTrend, Trend, clustered_trend, trend

__all__ = [
    "PUBLISHED_POOLS",
    "BootstrapEstimate",
    "Bucket",
    "ClusteredTrend",
    "CoordinationGap",
    "CrossPlay",
    "DifferenceEstimate",
    "DifficultyCurve",
    "Interval",
    "Kappa",
    "McNemarTest",
    "MissingBounds",
    "PairCounts",
    "PairedCost",
    "PowerEstimate",
    "Ranking",
    "RateEstimate",
    "RatioSummary",
    "StratifiedAssociation",
    "Trend",
    "achieved_concurrency",
    "adjust",
    "area",
    "bonett_price",
    "bootstrap_interval",
    "bootstrap_ratio",
    "bradley_terry",
    "bucket_numbers",
    "clopper_pearson",
    "clustered_trend",
    "coordination_gap",
    "cross_play",
    "design_effect",
    "detectable_effect",
    "difference_rewards",
    "difficulty",
    "difficulty_curve",
    "durkalski",
    "exact_power",
    "fisher_p",
    "jeffreys",
    "kappa",
    "leave_one_out",
    "mcnemar",
    "missing_bounds",
    "needed_pairs",
    "newcombe",
    "newcombe_unpaired",
    "obuchowski",
    "paired",
    "paired_cost",
    "paired_power",
    "pass_at_k",
    "pass_hat_k",
    "power",
    "rate",
    "ratio_summary",
    "relative_difficulty",
    "retention",
    "shapley",
    "sign_flip",
    "spearman",
    "stratified",
    "t_quantile",
    "tango",
    "trend",
    "unpaired_z",
    "wilson",
]
