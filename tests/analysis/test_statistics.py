"""What golden.json does not have: refusals, edges, and properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as make

from cooperbench import analysis
from cooperbench.analysis import statistics as st
from cooperbench.errors import UsageError

OUTCOMES = make.lists(make.integers(0, 1), min_size=1, max_size=40)


def test_the_room_offers_its_three_functions() -> None:
    assert (analysis.rate, analysis.paired, analysis.power) == (st.rate, st.paired, st.power)
    assert dir(analysis) == sorted(analysis.__all__)
    with pytest.raises(AttributeError, match="no attribute 'median'"):
        _ = analysis.median


@given(OUTCOMES, make.integers(1, 6))
def test_an_interval_holds_its_rate_and_stays_between_0_and_1(passed: list[int], pools: int) -> None:
    estimate = st.rate(passed, [index % pools for index in range(len(passed))])
    assert 0 <= estimate.low <= estimate.rate <= estimate.high <= 1
    assert estimate.n_effective <= estimate.n
    assert estimate.design_effect >= 1


@given(make.lists(make.tuples(make.integers(0, 1), make.integers(0, 1)), min_size=2, max_size=40), make.integers(1, 30))
def test_a_comparison_turns_around_with_its_sides(pairs: list[tuple[int, int]], pools: int) -> None:
    a, b = [first for first, _ in pairs], [second for _, second in pairs]
    clusters = [index % pools for index in range(len(pairs))]
    there, back = st.paired(a, b, clusters), st.paired(b, a, clusters)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == pytest.approx(back.p)
    assert 0 <= there.p <= 1
    assert -1 <= there.low <= there.difference + 1e-12
    assert there.difference - 1e-12 <= there.high <= 1


def test_one_pool_falls_back_and_says_so() -> None:
    estimate = st.rate([1, 0, 1], ["only"] * 3)
    assert estimate.method == "plain Wilson"
    assert (estimate.low, estimate.high) == estimate.plain
    assert estimate.icc is None
    compared = st.paired([1, 0, 1], [0, 0, 1], ["only"] * 3)
    assert (compared.test, compared.method) == ("McNemar mid-p", "Newcombe")


def test_equal_pools_have_a_correlation_of_one() -> None:
    estimate = st.rate([1, 1, 1, 0, 0, 0], list("aaabbb"))
    assert estimate.icc == pytest.approx(1)
    assert estimate.design_effect == pytest.approx(6, rel=0.01)


def test_with_pools_of_one_the_design_effect_is_about_one() -> None:
    estimate = st.rate([1, 0] * 50, range(100))
    assert estimate.design_effect == pytest.approx(100 / 99)
    assert estimate.icc is None


def test_means_over_repeats_are_compared_without_counts() -> None:
    made = st.paired([1, 2 / 3, 0], [1 / 3, 2 / 3, 0], ["a", "b", "c"])
    assert made.counts is None
    assert made.mcnemar_mid_p is None
    assert made.newcombe is None
    assert made.difference == pytest.approx(2 / 9)
    assert made.test == "sign flips over pools"


def test_nothing_flipped() -> None:
    made = st.paired([1, 0, 1, 0], [1, 0, 1, 0], list("aabb"))
    assert (made.difference, made.p, made.discordant) == (0, 1, 0)
    assert (made.method, made.significant) == ("Newcombe", False)
    assert made.low < 0 < made.high


def test_many_pools_take_obuchowski_and_a_seeded_monte_carlo() -> None:
    pools = list(range(30)) * 2
    a, b = [1] * 40 + [0] * 20, [0, 1] * 30
    made = st.paired(a, b, pools)
    assert made.test == "Obuchowski"
    assert made.p == made.obuchowski_p
    assert made.sign_flip_p == st.paired(a, b, pools).sign_flip_p
    assert made.sign_flip_p == pytest.approx(made.p, abs=0.05)


def test_a_single_group_says_nothing() -> None:
    assert st.paired([1], [0]).p == 0.5
    assert st.rate([1], ["a"]).method == "plain Wilson"


@pytest.mark.parametrize("values", [[], [2], [-0.1], [math.nan], [[1, 0]]], ids=str)
def test_outcomes_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(UsageError):
        st.rate(values)


def test_lists_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UsageError, match="2 outcomes and 1 clusters"):
        st.rate([1, 0], ["a"])
    with pytest.raises(UsageError, match="a has 2 groups and b has 1"):
        st.paired([1, 0], [1])
    with pytest.raises(UsageError, match="confidence 95"):
        st.rate([1, 0], confidence=95)


def test_the_published_pools() -> None:
    assert (len(st.PUBLISHED_POOLS), sum(st.PUBLISHED_POOLS)) == (29, 652)


def test_planning_turns_around() -> None:
    for correlation in (0.0, 0.05):
        plan = st.power(effect=0.12, icc=correlation)
        assert st.power(plan.groups, icc=correlation).effect == pytest.approx(0.12, abs=0.002)
        assert st.power(plan.groups, 0.12, icc=correlation).power == pytest.approx(0.8, abs=0.02)


def test_a_correlation_costs_groups() -> None:
    plain, clustered = st.power(50), st.power(50, icc=0.1)
    assert plain.effect == pytest.approx(0.2119, abs=1e-4)
    assert clustered.effect > plain.effect
    assert clustered.design_effect == pytest.approx(1 + (clustered.pool_size - 1) * 0.1)
    assert st.power(effect=0.1, icc=0.1, pool_size=10).groups > 1.9 * st.power(effect=0.1).groups
    assert clustered.independent == pytest.approx(50 / clustered.design_effect)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to plan"),
        ({"groups": 1}, "1 groups cannot be compared"),
        ({"effect": 0.5}, "not possible when 30 %"),
        ({"effect": -0.1}, "not possible"),
        ({"groups": 50, "discordant": 0}, "discordant 0"),
        ({"groups": 50, "icc": 2}, "a correlation of 2"),
        ({"groups": 50, "target": 80}, "shares between 0 and 1"),
        ({"groups": 50, "pool_size": 0}, "a pool of 0 groups"),
        ({"effect": 0.02, "icc": 0.3}, "no number of groups"),
    ],
    ids=str,
)
def test_plans_that_cannot_be_made(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        st.power(**arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_clustered_trend_sees_pools_at_several_doses() -> None:
    doses = [0.0, 0.5, 1.0] * 40
    pools = [index // 3 for index in range(120)]
    passed = [1 if (pool % 4) - 1.5 - 3 * dose > -2 else 0 for pool, dose in zip(pools, doses, strict=True)]
    made = st.clustered_trend(passed, doses, pools)
    assert made.slope < 0
    assert made.p < 0.01
    assert -1 < made.correlation < 1


def test_what_a_trend_needs() -> None:
    with pytest.raises(UsageError, match="two doses"):
        st.trend([1, 2], [3, 3], [1, 1])
    with pytest.raises(UsageError, match="passed <= n"):
        st.trend([4, 2], [3, 3], [0, 1])
    with pytest.raises(UsageError, match="all outcomes are equal"):
        st.clustered_trend([1, 1], [0, 1], ["a", "b"])


def test_a_difficulty_curve_needs_the_same_models_and_groups() -> None:
    with pytest.raises(UsageError, match="same models"):
        st.difficulty_curve({"a": [1]}, {"b": [1]})
    with pytest.raises(UsageError, match="same groups"):
        st.difficulty_curve({"a": [1, 0]}, {"a": [1]})
    with pytest.raises(UsageError, match="two models"):
        st.leave_one_out({"a": [1]})
    assert st.difficulty_curve({"a": [1, 1]}, {"a": [0, 1]}).auc_solo == 0
    assert st.bucket_numbers([0.1, 0.2, 0.3, 0.6, 0.7, 1.0]).tolist() == [1, 2, 3, 6, 7, 9]


def test_partners_that_cannot_be_separated() -> None:
    with pytest.raises(UsageError, match="too few pairings"):
        st.cross_play({("a", "a"): (1, 2), ("a", "b"): (1, 2)})
    with pytest.raises(UsageError, match="with oneself and with others"):
        st.cross_play({("a", "a"): (1, 2)})
    with pytest.raises(UsageError, match="no strength is finite"):
        st.bradley_terry([[0, 3], [0, 0]])
    with pytest.raises(UsageError, match="worth of 2 is missing"):
        st.shapley({frozenset(): 0.0, frozenset("1"): 1.0}, "12")


def test_kappa_of_one_label_is_not_defined() -> None:
    made = st.kappa([[7, 0], [0, 0]])
    assert (made.kappa, made.agreement, made.n) == (None, 1.0, 7)
    with pytest.raises(UsageError, match="square"):
        st.kappa([[1, 2]])


def test_a_bootstrap_of_pools_is_seeded_and_refuses_nothing_to_divide_by() -> None:
    pools = [index % 12 for index in range(60)]
    passed, cost = [index % 2 for index in range(60)], [0.5 + index % 7 for index in range(60)]
    first, again = (st.bootstrap_ratio(passed, cost, pools, seed=7) for _ in range(2))
    assert first == again
    assert first.low < first.value < first.high
    low, high = st.bootstrap_interval(lambda chosen: float(len(chosen)), pools, 60, draws=50)
    assert (low, high) == (60, 60)
    with pytest.raises(UsageError, match="denominator above 0"):
        st.bootstrap_ratio([1, 0], [0, 0], None)


def test_ratios_without_a_denominator_are_counted() -> None:
    assert st.ratio_summary([1], [0]) == st.RatioSummary(None, None, 1)
    assert st.coordination_gap(0, 0) == (0, None, None)
    assert st.missing_bounds(0, 0, 3).completed_rate is None
    assert st.adjust([]) == []
    with pytest.raises(UsageError, match="is not possible"):
        st.missing_bounds(3, 2, 5)
    with pytest.raises(UsageError, match="k is at most"):
        st.pass_at_k(3, 1, 4)
