"""Several comparisons at once, and tables stratified by repository."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cooperbench.errors import UsageError

Adjustment = Literal["holm", "hommel", "bonferroni", "bh"]
_METHODS = {"holm": "holm", "hommel": "hommel", "bonferroni": "bonferroni", "bh": "fdr_bh"}


def adjust(p: ArrayLike, method: Adjustment = "holm") -> list[float]:
    """Adjust p values for their number; Holm 1979 by default, in the order given.

    `bh` controls the false discovery rate (Benjamini & Hochberg), the others the chance of any false rejection. Raises `UsageError`.
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise UsageError("p values must be a list of numbers between 0 and 1")
    if method not in _METHODS:
        raise UsageError(f"unknown adjustment {method!r}", hint=f"one of {', '.join(_METHODS)}")
    if values.size == 0:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(values, method=_METHODS[method])[1]]


@dataclass(frozen=True)
class StratifiedAssociation:
    """The common odds ratio of several 2 x 2 tables (Mantel-Haenszel), and the tests that go with it."""

    odds_ratio: float
    low: float
    high: float
    chi2: float
    """Cochran-Mantel-Haenszel, without continuity correction."""
    p: float
    homogeneity_p: float
    """Breslow-Day: small where the odds ratio differs between strata."""


def stratified(tables: ArrayLike, *, confidence: float = 0.95) -> StratifiedAssociation:
    """Measure an association, such as of conflict and pass, within strata such as repositories.

    `tables` has the shape (strata, 2, 2). Raises `UsageError`.
    """
    counts = np.asarray(tables, dtype=np.float64)
    if counts.ndim != 3 or counts.shape[1:] != (2, 2) or len(counts) == 0:
        raise UsageError(f"tables have the shape {counts.shape}, not (strata, 2, 2)")
    from statsmodels.stats.contingency_tables import StratifiedTable

    made = StratifiedTable(np.moveaxis(counts, 0, 2))
    low, high = made.oddsratio_pooled_confint(alpha=1 - confidence)
    test = made.test_null_odds(correction=False)
    return StratifiedAssociation(
        odds_ratio=float(made.oddsratio_pooled),
        low=float(low),
        high=float(high),
        chi2=float(test.statistic),
        p=float(test.pvalue),
        homogeneity_p=float(made.test_equal_odds().pvalue),
    )
