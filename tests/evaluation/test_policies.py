"""Policies read stages that were stored; one that lacks a stage has it evaluated, and never guesses."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cooperbench import runner
from cooperbench.errors import UnknownNameError
from cooperbench.evaluation import POLICIES, Policy, Resolver, apply_policy, score
from cooperbench.evaluation.policies import NAIVE, RESOLVER, UNION, always
from cooperbench.records import Evaluation, Outcome, RunDirectory, RunSummary, StageStatus, read_model, write_model
from cooperbench.tasks import Task

pytestmark = pytest.mark.needs("sandbox")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated run whose two gold patches conflict, and whose union passes."""
    folder = tmp_path_factory.mktemp("logs")
    result = runner.run("pair", "gold", subset="demo", repo="ledgerkit", features=(1, 2), log_dir=folder)
    assert result.summary.evaluated == 1
    return folder


def evaluate(logs: Path, policy: str) -> Evaluation:
    runner.evaluate("pair", policy=policy, log_dir=logs)
    return read_model(eval_file(logs), Evaluation)


def eval_file(logs: Path) -> Path:
    (path,) = logs.rglob("eval.json")
    return path


def forget(logs: Path, stages: Iterable[str]) -> Evaluation:
    """Make `eval.json` that of an older version, which did not know some stages."""
    known = read_model(eval_file(logs), Evaluation)
    older = known.model_copy(update={"stages": tuple(stage for stage in known.stages if stage.name not in stages)})
    write_model(eval_file(logs), older)
    return older


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "passes", "missing"),
    [("naive@1", False, ("naive",)), ("union@1", True, ("union",)), ("union@1", True, ("naive", "union"))],
)
def test_a_stage_that_an_older_record_lacks_is_evaluated(
    logs: Path, policy: str, passes: bool, missing: tuple[str, ...]
) -> None:
    complete = evaluate(logs, "naive")
    older = forget(logs, missing)
    evaluation = evaluate(logs, policy)
    assert evaluation.verdicts[policy].passed is passes, evaluation.verdicts
    assert evaluation.key == older.key
    assert evaluate(logs, "union").verdicts["union@1"].passed
    again = read_model(eval_file(logs), Evaluation)
    assert [stage.name for stage in again.stages] == [stage.name for stage in complete.stages]


@pytest.mark.slow
def test_verdicts_stand_side_by_side_and_readers_take_the_policy_of_the_run(logs: Path) -> None:
    seen = runner.evaluate("pair", policy="union", log_dir=logs)
    assert (seen.policy, seen.summary.policy, seen.summary.passed) == ("union@1", "union@1", 1)
    evaluation = read_model(eval_file(logs), Evaluation)
    assert {policy: verdict.passed for policy, verdict in evaluation.verdicts.items()} == {
        "naive@1": False,
        "union@1": True,
        "cascade@1": True,  # union passes, so nobody has to ask a model
    }
    assert evaluation.verdict == evaluation.verdicts["naive@1"]
    stored = read_model(RunDirectory(logs / "pair").summary, RunSummary)
    assert (stored.policy, stored.passed) == ("naive@1", 0)
    own, other = runner.read_run("pair", logs), runner.read_run("pair", str(logs), policy="union")
    assert ([each.passed for each in own], [each.passed for each in other]) == ([False], [True])
    assert [row["passed"] for row in own.rows("naive", "union@1")] == [False, True]
    with pytest.raises(UnknownNameError, match=r"naive@1, union@1, cascade@1") as refused:
        own.under("unison")
    assert "unison" not in str(refused.value.hint)  # another policy that is unknown


@pytest.mark.slow
def test_no_more_is_evaluated_than_the_policy_reads(logs: Path) -> None:
    evaluate(logs, "union")
    older = forget(logs, ["union"])
    assert evaluate(logs, "naive").evaluated_at == older.evaluated_at


@pytest.mark.slow
def test_suites_that_are_known_do_not_run_again(logs: Path) -> None:
    evaluate(logs, "union")
    older = forget(logs, ["union"])
    evaluation = evaluate(logs, "union")
    singles = [stage for stage in older.stages if stage.name.startswith("single:")]
    assert singles
    assert [stage for stage in evaluation.stages if stage.name.startswith("single:")] == singles  # to the millisecond


@pytest.mark.slow
def test_without_its_stage_a_policy_has_no_verdict(logs: Path) -> None:
    evaluation = evaluate(logs, "union")
    stages = [stage for stage in evaluation.stages if stage.name != "union"]
    verdict = apply_policy("union", stages, evaluation.features)
    assert (verdict.outcome, verdict.stage) == (Outcome.INFRA_ERROR, None)
    assert "union was not evaluated" in verdict.features[0].reason


@pytest.fixture
def optimist() -> Iterator[str]:
    """A policy that somebody adds: whatever keeps both sides counts, also where git merges by itself."""
    POLICIES["optimist@1"] = Policy({UNION: always})
    yield "optimist"
    del POLICIES["optimist@1"]


@pytest.mark.slow
def test_a_new_policy_is_one_entry(ledgerkit: Task, optimist: str) -> None:
    patches = {feature: ledgerkit.features[feature].gold_patch for feature in (1, 2)}
    evaluation = score(ledgerkit, patches, policy=optimist, falsify="off")
    assert evaluation.verdict.passed
    assert (evaluation.verdict.policy, evaluation.verdict.stage) == ("optimist@1", "union")
    assert apply_policy("naive", evaluation.stages, evaluation.features).outcome is Outcome.MERGE_CONFLICT


def refuse(prompt: str) -> str:
    raise AssertionError("there is nothing to ask about")


@pytest.fixture
def model_only() -> Iterator[str]:
    POLICIES["model-only@1"] = Policy({RESOLVER: always})
    yield "model-only@1"
    del POLICIES["model-only@1"]


@pytest.mark.slow
def test_a_policy_gets_the_stage_that_it_names_also_where_nothing_conflicts(ledgerkit: Task, model_only: str) -> None:
    patches = {feature: ledgerkit.features[feature].gold_patch for feature in (1, 4)}
    resolver = Resolver("no", refuse)
    evaluation = score(ledgerkit, patches, policy=model_only, resolver=resolver, falsify="off")
    assert evaluation.verdict.passed
    assert evaluation.verdict.stage == "resolver"
    rejected = score(
        ledgerkit,
        {**patches, 1: b"--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n"},
        policy=model_only,
        resolver=resolver,
        falsify="off",
    )
    assert rejected.verdict.outcome is Outcome.PATCH_REJECTED
    assert rejected.stages[-1].status is StageStatus.REJECTED


def test_every_policy_names_stages_that_can_be_made() -> None:
    assert {stage for policy in POLICIES.values() for stage in policy.stages} <= {NAIVE, UNION, RESOLVER}
