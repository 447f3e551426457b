"""Several attempts at the same group."""

import math

from cooperbench.errors import UsageError


def pass_at_k(n: int, passed: int, k: int) -> float:
    """Estimate without bias the chance that at least one of `k` attempts passes, from `passed` of `n` (Chen et al. 2021)."""
    _check(n, passed, k)
    return 1.0 - math.comb(n - passed, k) / math.comb(n, k)


def pass_hat_k(n: int, passed: int, k: int) -> float:
    """Estimate without bias the chance that all of `k` attempts pass: pass^k (Yao et al. 2024, tau-bench)."""
    _check(n, passed, k)
    return math.comb(passed, k) / math.comb(n, k)


def _check(n: int, passed: int, k: int) -> None:
    if not (1 <= k <= n and 0 <= passed <= n):
        raise UsageError(f"cannot estimate k = {k} from {passed} of {n} attempts", hint="k is at most the attempts")
