"""Parts of rewards, from evaluations laid out by hand: what no quick episode comes to."""

import pytest

from cooperbench.evaluation import reward
from cooperbench.records import (
    Conflict,
    Evaluation,
    FeatureVerdict,
    MergeStep,
    Outcome,
    Stage,
    StageStatus,
    SuiteResult,
    Verdict,
    utc_now,
)
from cooperbench.training.rewards import RewardPart, reward_parts, weighted

PASSED, FAILED, INFRA = Outcome.PASSED, Outcome.TESTS_FAILED, Outcome.INFRA_ERROR
TEAM = {"agent1": (1,), "agent2": (2,)}


def suites(*outcomes: Outcome) -> tuple[SuiteResult, ...]:
    return tuple(SuiteResult(feature=number, outcome=outcome) for number, outcome in enumerate(outcomes, 1))


def evaluation(merged: tuple[Outcome, ...], **alone: tuple[Outcome, ...]) -> Evaluation:
    """An evaluation by the outcomes of all features in the merge and on each member's work."""
    features = tuple(FeatureVerdict(feature=number, outcome=each) for number, each in enumerate(merged, 1))
    outcome = next((each for each in merged if each is not PASSED), PASSED)
    stages = [Stage(name="naive", status=StageStatus.CLEAN, suites=suites(*merged))]
    stages += [
        Stage(name=f"single:{name}", status=StageStatus.CLEAN, suites=suites(*given)) for name, given in alone.items()
    ]
    return Evaluation(
        key="", repo="r", task_id=1, features=tuple(range(1, len(merged) + 1)), backend="local", image="i", evaluator="e",
        stages=tuple(stages), verdict=Verdict(policy="naive@1", outcome=outcome, features=features), evaluated_at=utc_now(),
    )  # fmt: skip


def test_alone_is_the_members_own_work_though_all_suites_ran_on_it() -> None:
    found = evaluation((PASSED, PASSED), agent1=(PASSED, FAILED), agent2=(FAILED, PASSED))
    assert (reward(found, "alone", feature=1), reward(found, "alone", feature=2)) == (1.0, 1.0)
    assert [reward_parts(found, TEAM, name)[RewardPart.ALONE] for name in TEAM] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("merged", "first", "second", "differences"),
    [
        ((PASSED, PASSED), (PASSED, FAILED), (FAILED, PASSED), [0.5, 0.5]),
        ((PASSED, PASSED), (PASSED, PASSED), (FAILED, PASSED), [0.5, 0.0]),
        ((PASSED, FAILED), (PASSED, FAILED), (FAILED, PASSED), [0.0, 0.0]),
        ((FAILED, FAILED), (FAILED, FAILED), (FAILED, PASSED), [-0.5, 0.0]),
    ],
)
def test_the_difference_that_a_member_makes(
    merged: tuple[Outcome, ...], first: tuple[Outcome, ...], second: tuple[Outcome, ...], differences: list[float]
) -> None:
    found = evaluation(merged, agent1=first, agent2=second)
    assert [reward_parts(found, TEAM, name)[RewardPart.DIFFERENCE] for name in TEAM] == differences


def test_a_suite_that_could_not_run_is_no_signal() -> None:
    found = evaluation((PASSED, PASSED), agent1=(PASSED, FAILED), agent2=(FAILED, INFRA))
    assert reward(found, "alone", feature=2) is None
    first, second = (reward_parts(found, TEAM, name) for name in TEAM)
    assert (first[RewardPart.ALONE], second[RewardPart.ALONE], second[RewardPart.OWN]) == (1.0, None, 1.0)
    assert (first[RewardPart.DIFFERENCE], second[RewardPart.DIFFERENCE]) == (None, 0.5)
    assert weighted(first, {RewardPart.ALL: 1.0, RewardPart.DIFFERENCE: 1.0}) is None
    assert weighted(first, {RewardPart.ALL: 1.0, RewardPart.CONFLICT: 1.0}) == 1.0
    failed = reward_parts(evaluation((PASSED, INFRA)), TEAM, "agent1")
    assert set(failed.values()) == {None}


def test_only_those_whose_work_conflicts_have_a_conflict() -> None:
    found = evaluation((PASSED, PASSED, PASSED))
    conflict = Conflict(path="a.py", kind="content", ours=("agent1",), theirs="agent3")
    step = MergeStep(agent_id="agent3", status=StageStatus.CONFLICT, conflicts=(conflict,))
    naive = found.stages[0].model_copy(update={"status": StageStatus.CONFLICT, "steps": (step,), "suites": ()})
    found = found.model_copy(update={"stages": (naive,)})
    team = {**TEAM, "agent3": (3,)}
    assert [reward_parts(found, team, name)[RewardPart.CONFLICT] for name in team] == [-1.0, 0.0, -1.0]
