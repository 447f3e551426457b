"""Worked values of every statistic, computed elsewhere with numpy, scipy and statsmodels: golden.json says how."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cooperbench.analysis import statistics as st

pytestmark = pytest.mark.xdist_group("golden")  # one worker imports what computes them

VALUES = {value["id"]: value for value in json.loads((Path(__file__).parent / "golden.json").read_text())["values"]}
Given = Mapping[str, Any]
CALCULATIONS: dict[str, Callable[[Given], dict[str, Any]]] = {}


def calculates(*prefixes: str) -> Callable[[Callable[[Given], dict[str, Any]]], Callable[[Given], dict[str, Any]]]:
    def register(function: Callable[[Given], dict[str, Any]]) -> Callable[[Given], dict[str, Any]]:
        CALCULATIONS.update(dict.fromkeys(prefixes, function))
        return function

    return register


@pytest.mark.parametrize("name", VALUES)
def test_value(name: str) -> None:
    value = VALUES[name]
    calculation = CALCULATIONS[max((prefix for prefix in CALCULATIONS if name.startswith(prefix)), key=len)]
    computed = calculation(value["inputs"])
    missing = value["expect"].keys() - computed.keys()
    assert not missing
    for key, expected in value["expect"].items():
        assert_close(computed[key], expected, float(value["tol"]), key)


def test_there_are_all_values() -> None:
    assert len(VALUES) == 66


def assert_close(computed: Any, expected: Any, tolerance: float, place: str) -> None:
    if isinstance(expected, dict):
        for key, inner in expected.items():
            assert_close(computed[key], inner, tolerance, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(computed) == len(expected), place
        for index, inner in enumerate(expected):
            assert_close(computed[index], inner, tolerance, f"{place}[{index}]")
    else:
        assert computed is not None, place
        # Small probabilities are compared as closely as their printed digits.
        assert math.isclose(computed, expected, rel_tol=tolerance, abs_tol=tolerance * min(1, abs(expected) or 1)), (
            f"{place}: {computed}, not {expected}"
        )


@calculates("wilson_")
def wilson(given: Given) -> dict[str, Any]:
    low, high = st.wilson(given["k"], given["n"])
    estimate = st.rate([1] * given["k"] + [0] * (given["n"] - given["k"]))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-12)
    return {"rate": estimate.rate, "low": low, "high": high}


@calculates("clopper_pearson")
def clopper_pearson(given: Given) -> dict[str, Any]:
    return st.clopper_pearson(given["k"], given["n"])._asdict()


@calculates("jeffreys")
def jeffreys(given: Given) -> dict[str, Any]:
    return st.jeffreys(given["k"], given["n"])._asdict()


@calculates("mcnemar_")
def mcnemar(given: Given) -> dict[str, Any]:
    test = st.mcnemar(given["b"], given["c"])
    return {
        "exact_p": test.exact_p,
        "mid_p": test.mid_p,
        "chi2": test.chi2,
        "chi2_p": test.chi2_p,
        "chi2_cc": test.corrected_chi2,
        "chi2_cc_p": test.corrected_chi2_p,
    }


@calculates("paired_diff_")
def paired_diff(given: Given) -> dict[str, Any]:
    counts = st.PairCounts(given["e"], given["f"], given["g"], given["h"])
    intervals = {"newcombe10": st.newcombe(counts), "bonett_price": st.bonett_price(counts), "tango": st.tango(counts)}
    limits = {f"{name}_{end}": getattr(made, end) for name, made in intervals.items() for end in ("low", "high")}
    return {"difference": counts.difference, "phi": counts.phi, **limits}


@calculates("unpaired_")
def unpaired(given: Given) -> dict[str, Any]:
    cells = given["k1"], given["n1"], given["k2"], given["n2"]
    low, high = st.newcombe_unpaired(*cells)
    z, p = st.unpaired_z(*cells)
    difference = given["k1"] / given["n1"] - given["k2"] / given["n2"]
    fisher = st.fisher_p(*cells)
    return {
        "difference": difference,
        "newcombe_low": low,
        "newcombe_high": high,
        "z": z,
        "z_p": p,
        "fisher_p": fisher,
    }


def pooled(given: Given) -> tuple[list[int], list[str]]:
    items = [(outcome, name) for name, outcomes in given["clusters"].items() for outcome in outcomes]
    return [outcome for outcome, _ in items], [name for _, name in items]


@calculates("cluster_mean")
def cluster_mean(given: Given) -> dict[str, Any]:
    passed, pools = pooled(given)
    estimate = st.rate(passed, pools)
    error, count = estimate.standard_error, estimate.clusters
    assert error is not None
    t = st.t_quantile(count - 1)
    uncorrected = error * math.sqrt((count - 1) / count)
    return {
        "mean": estimate.rate,
        "se_srs": float(np.std(passed, ddof=1)) / math.sqrt(len(passed)),
        "se_liang_zeger_no_correction": uncorrected,
        "statsmodels_no_correction": uncorrected,
        "se_times_sqrt_C_over_C_minus_1": error,
        "statsmodels_use_correction": error,
        "t_crit_df3": t,
        "t_low": estimate.rate - t * error,
        "t_high": estimate.rate + t * error,
        "design_effect": estimate.design_effect,
        "n_effective_korn_graubard": estimate.n_effective,
        "wilson_cluster_low": estimate.low,
        "wilson_cluster_high": estimate.high,
    }


@calculates("cluster_bootstrap_exact")
def cluster_bootstrap(given: Given) -> dict[str, Any]:
    passed, pools = pooled(given)
    ones = [1] * len(passed)
    exact = st.bootstrap_ratio(passed, ones, pools)
    assert exact.exact
    assert exact.draws == 256
    drawn = st.bootstrap_ratio(passed, ones, pools, draws=200, seed=1)
    assert not drawn.exact
    assert drawn.mean == pytest.approx(exact.mean, abs=0.05)
    return {
        "mean_of_resamples": exact.mean,
        "sd_of_resamples": exact.sd,
        "q025_linear": exact.low,
        "q975_linear": exact.high,
        "distinct": exact.distinct,
    }


@calculates("paired_cluster")
def paired_cluster(given: Given) -> dict[str, Any]:
    a, b, pools = given["A"], given["B"], given["cluster"]
    estimate = st.paired(a, b, pools)
    delta = np.subtract(a, b)
    assert estimate.counts is not None
    durkalski_chi2, durkalski_p = st.durkalski(delta, pools)
    obuchowski_chi2, obuchowski_p = st.obuchowski(delta, pools)
    assert estimate.test == "sign flips over pools"
    assert estimate.p == estimate.sign_flip_p
    assert estimate.obuchowski_p == obuchowski_p
    return {
        "difference": estimate.difference,
        "se_paired": float(np.std(delta, ddof=1)) / math.sqrt(len(delta)),
        "se_clustered": estimate.standard_error,
        "t_low": estimate.low,
        "t_high": estimate.high,
        "cluster_signflip_p_exact": estimate.sign_flip_p,
        "item_signflip_p_exact": st.sign_flip(delta),
        "b": estimate.counts.only_a,
        "c": estimate.counts.only_b,
        "mcnemar_mid_p": estimate.mcnemar_mid_p,
        "durkalski_chi2": durkalski_chi2,
        "durkalski_p": durkalski_p,
        "obuchowski_score_chi2": obuchowski_chi2,
        "obuchowski_p": obuchowski_p,
    }


@calculates("auc_website")
def auc(given: Given) -> dict[str, Any]:
    solo, coop = st.area(given["x"], given["solo"]), st.area(given["x"], given["coop"])
    return {"auc_solo": solo, "auc_coop": coop, "delta": solo - coop, "retention": st.retention(solo, coop)}


@calculates("table5_retention")
def table5(given: Given) -> dict[str, Any]:
    return {model: st.retention(solo, coop) for model, (solo, coop) in given.items()}


@calculates("fig4_gaps")
def gaps(given: Given) -> dict[str, Any]:
    made = {model: st.coordination_gap(solo / 652, coop / 652) for model, (solo, coop) in given.items()}
    return {
        model: {"gap_pp": 100 * gap.gap, "relative_loss": gap.relative_loss, "ratio": gap.ratio}
        for model, gap in made.items()
    }


@calculates("pooled_gap")
def pooled_gap(given: Given) -> dict[str, Any]:
    total = given["n_each"] * len(given["solo"])
    solo, coop = sum(given["solo"]) / total, sum(given["coop"]) / total
    gap = st.coordination_gap(solo, coop)
    each = [st.coordination_gap(*pair).relative_loss or 0 for pair in zip(given["solo"], given["coop"], strict=True)]
    return {
        "solo": solo,
        "coop": coop,
        "gap_pp": 100 * gap.gap,
        "relative_loss": gap.relative_loss,
        "mean_of_relative_losses": sum(each) / len(each),
    }


@calculates("difficulty_synthetic")
def difficulty(given: Given) -> dict[str, Any]:
    curve = st.difficulty_curve(given["solo"], given["coop"], buckets=given["buckets"])
    buckets = {
        str(bucket.number): {
            "midpoint": bucket.midpoint,
            "n": bucket.n,
            "solo_k": bucket.solo_passed,
            "coop_k": bucket.coop_passed,
            "identity_solo_rate_equals_1_minus_mean_d": bucket.solo_rate,
        }
        for bucket in curve.buckets
    }
    for bucket in curve.buckets:
        assert bucket.solo_rate == pytest.approx(1 - curve.difficulty[curve.bucket_of == bucket.number].mean())
    return {
        "d": curve.difficulty.tolist(),
        "d_relative": curve.relative.tolist(),
        "bucket": curve.bucket_of.tolist(),
        "pooled": buckets,
        "auc_solo": curve.auc_solo,
        "auc_coop": curve.auc_coop,
        "retention": curve.retention,
    }


@calculates("difficulty_leave_one_out")
def leave_one_out(given: Given) -> dict[str, Any]:
    return {model: values.tolist() for model, values in st.leave_one_out(given["solo"]).items()}


@calculates("holm")
def holm(given: Given) -> dict[str, Any]:
    p = given["p"]
    return {
        "adjusted": st.adjust(p),
        "bh": st.adjust(p, "bh"),
        "hommel": st.adjust(p, "hommel"),
        "bonferroni": st.adjust(p, "bonferroni"),
    }


@calculates("power_n_")
def power_n(given: Given) -> dict[str, Any]:
    n = st.needed_pairs(given["difference"], given["discordant"], target=given["power"], alpha=given["alpha"])
    plan = st.power(effect=given["difference"], discordant=given["discordant"], target=given["power"])
    return {"n": n, "n_ceil": plan.groups}


@calculates("mde_")
def mde(given: Given) -> dict[str, Any]:
    plan = st.power(given["n"], discordant=given["discordant"], target=given["power"], alpha=given["alpha"])
    return {"difference": plan.effect}


@calculates("exact_power_", "type1_")
def exact_power(given: Given) -> dict[str, Any]:
    p = given["n"], given["p10"], given["p01"]
    return {
        "mid_p": st.exact_power(*p, alpha=given["alpha"]),
        "exact": st.exact_power(*p, alpha=given["alpha"], mid_p=False),
    }


@calculates("kappa_")
def kappa(given: Given) -> dict[str, Any]:
    made = st.kappa(given["table"])
    return {"kappa": made.kappa, "low": made.low, "high": made.high, "agreement": made.agreement}


@calculates("pass_at_k")
def pass_at_k(given: Given) -> dict[str, Any]:
    n, c = given["n"], given["c"]
    return {
        "pass_at_k": [st.pass_at_k(n, c, k) for k in given["k"]],
        "pass_hat_k": [st.pass_hat_k(n, c, k) for k in given["k"]],
    }


@calculates("cmh")
def cmh(given: Given) -> dict[str, Any]:
    made = st.stratified(given["tables"])
    return {
        "or_mh": made.odds_ratio,
        "low": made.low,
        "high": made.high,
        "cmh_chi2": made.chi2,
        "cmh_p": made.p,
        "breslow_day_p": made.homogeneity_p,
    }


@calculates("cochran_armitage")
def cochran_armitage(given: Given) -> dict[str, Any]:
    made = st.trend(given["passed"], given["n"], given["dose"])
    return {
        "z": made.z,
        "p": made.p,
        "logit_intercept": made.intercept,
        "logit_slope": made.slope,
        "logit_slope_se": made.slope_error,
    }


@calculates("bradley_terry")
def bradley_terry(given: Given) -> dict[str, Any]:
    made = st.bradley_terry(given["wins"])
    return {
        "log_strength": made.log_strength,
        "se_sum_zero": made.error,
        "p_0_beats_1": made.beats(0, 1),
        "p_0_beats_2": made.beats(0, 2),
        "elo_scale": made.elo_scale,
        "log_strength_prior_half_win_each": st.bradley_terry(given["wins"], prior=0.5).log_strength,
    }


@calculates("cross_play_logit")
def cross_play(given: Given) -> dict[str, Any]:
    cells = {(name.split("+")[0], name.split("+")[1]): (passed, n) for name, (passed, n) in given["cells"].items()}
    made = st.cross_play(cells)
    return {
        "strength": made.strength,
        "own_play": made.own_play,
        "own_play_se": made.own_play_error,
        "own_play_p": made.own_play_p,
        "deviance": made.deviance,
        "own_rate": made.own_rate,
        "cross_rate": made.cross_rate,
    }


@calculates("shapley_3")
def shapley(given: Given) -> dict[str, Any]:
    worth = {frozenset(name): value for name, value in given["value"].items()}
    return {
        "shapley": list(st.shapley(worth, "123").values()),
        "difference_reward": list(st.difference_rewards(worth, "123").values()),
    }


@calculates("cost_paired")
def cost_paired(given: Given) -> dict[str, Any]:
    made = st.paired_cost(given["a"], given["b"])
    return {
        "mean_difference": made.mean_difference,
        "t": made.t,
        "t_p": made.t_p,
        "low": made.low,
        "high": made.high,
        "wilcoxon_p_exact": made.wilcoxon_p,
    }


@calculates("spearman_")
def spearman(given: Given) -> dict[str, Any]:
    return {"rho": st.spearman(given["solo"], given["coop"])}


@calculates("missing_bounds")
def missing_bounds(given: Given) -> dict[str, Any]:
    return st.missing_bounds(given["passed"], given["completed"], given["planned"])._asdict()


@calculates("plan_question")
def plan_question(given: Given) -> dict[str, Any]:
    made = st.ratio_summary(given["plan"], given["question"])
    return {
        "ratio_of_sums": made.ratio_of_sums,
        "mean_of_ratios_defined": made.mean_of_ratios,
        "runs_without_question": made.undefined,
    }


@calculates("achieved_concurrency")
def achieved_concurrency(given: Given) -> dict[str, Any]:
    return {"achieved": st.achieved_concurrency(given["durations"], given["wall"])}


@calculates("t_quantile_")
def t_quantile(given: Given) -> dict[str, Any]:
    return {"t": st.t_quantile(given["df"])}
