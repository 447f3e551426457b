import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.evaluation import (
    EvaluationSettings,
    Resolver,
    apply_policy,
    evaluate_episode,
    evaluate_submissions,
    evaluation_key,
    make_submission,
    reward,
    score,
    score_many,
)
from cooperbench.evaluation.scoring import ScoreRequest
from cooperbench.records import (
    Ending,
    EpisodeDirectory,
    EpisodeResult,
    EpisodeStatus,
    Evaluation,
    EvaluationChoices,
    Failure,
    ImageRecipe,
    MemberResult,
    Outcome,
    PatchSource,
    Setting,
    StageStatus,
    Submission,
    read_model,
)
from cooperbench.tasks import Task
from tests.evaluation.edits import append, base_checkout

UNPROVEN = EvaluationChoices(falsify="off")
"""Proofs have tests of their own, in `falsification`."""


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def gold(task: Task, *features: int) -> dict[int, bytes]:
    return {feature: task.features[feature].gold_patch for feature in features}


def finished_episode(directory: EpisodeDirectory, task: Task, patches: dict[int, bytes]) -> EpisodeResult:
    agents = {}
    directory.path.mkdir(parents=True, exist_ok=True)
    for feature, patch in patches.items():
        name = f"agent{feature}"
        directory.patch(name).write_bytes(patch)
        submission = Submission(
            agent_id=name,
            features=(feature,),
            file=f"{name}.patch",
            sha256=hashlib.sha256(patch).hexdigest(),
            bytes=len(patch),
            lines=0,
            source=PatchSource.CAPTURED,
        )
        agents[name] = MemberResult(
            agent_id=name,
            agent="gold",
            model="none",
            features=(feature,),
            ending=Ending.SUBMITTED,
            status="Submitted",
            submission=submission,
            started_at=NOW,
            ended_at=NOW,
        )
    return EpisodeResult(
        run="test",
        setting=Setting.COOP,
        repo=task.repo,
        task_id=task.task_id,
        features=tuple(patches),
        status=EpisodeStatus.COMPLETED,
        agents=agents,
        image=task.image,
        backend="local",
        started_at=NOW,
        ended_at=NOW,
        duration_seconds=0,
    )


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_gold_patches_that_fit_together_pass(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, gold(ledgerkit, 1, 4), falsify="off")
    assert evaluation.verdict.passed
    assert evaluation.verdict.policy == "naive@1"
    assert evaluation.verdict.stage == "naive"
    suites = evaluation.stages[0].suites
    assert [suite.source for suite in suites] == ["pytest-guard", "pytest-guard"]
    assert all(len(suite.tests) > 20 for suite in suites)
    assert reward(evaluation) == 1.0


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_clean_merge_that_breaks_a_test_fails_for_that_feature(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, gold(ledgerkit, 1, 3), singles="all", falsify="off")
    assert evaluation.verdict.outcome is Outcome.TESTS_FAILED
    assert [item.outcome for item in evaluation.verdict.features] == [Outcome.TESTS_FAILED, Outcome.PASSED]
    assert "test_json_output.py::" in evaluation.verdict.features[0].reason
    singles = {stage.name: [suite.outcome for suite in stage.suites] for stage in evaluation.stages[2:]}
    assert singles == {
        "single:agent1": [Outcome.PASSED, Outcome.TESTS_FAILED],
        "single:agent3": [Outcome.TESTS_FAILED, Outcome.PASSED],
    }
    assert reward(evaluation, "share") == 0.5
    assert reward(evaluation, "own", feature=1) == 0.0
    assert reward(evaluation, "alone", feature=1) == 1.0


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_conflict_is_settled_by_union_where_the_policy_says_so(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, gold(ledgerkit, 1, 2), falsify="off")
    assert evaluation.verdict.outcome is Outcome.MERGE_CONFLICT
    assert "conflict in src/ledgerkit/" in evaluation.verdict.features[0].reason
    assert apply_policy("union", evaluation.stages, evaluation.features).passed
    assert apply_policy("cascade", evaluation.stages, evaluation.features).stage == "union"


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_one_patch_for_all_features_as_in_solo(shelfdb: Task) -> None:
    assert shelfdb.combined_patch is not None
    features = (1, 3)
    submission = make_submission("solo", features, shelfdb.combined_patch)
    evaluation = evaluate_submissions(
        shelfdb, features, [(submission, shelfdb.combined_patch)], EvaluationSettings(choices=UNPROVEN)
    )
    assert evaluation.verdict.passed
    assert [stage.name for stage in evaluation.stages] == ["naive", "union"]


@pytest.mark.parametrize(
    ("digest", "choices", "key"),
    [
        ("sha256:0123", EvaluationChoices(), "0cfe9728e655160007acd0289c4b375220fcea420be8953c51afe468081621da"),
        (
            None,
            EvaluationChoices(singles="all", time_limit=60, network="none", recount=True, install="always"),
            "4fbd2d1fb74f4327b10da7ff598108e1c9580d0fb6ba695c106e2f3d0aded538",
        ),
    ],
)
def test_verdicts_of_this_evaluator_stay_valid(
    tmp_path: Path, digest: str | None, choices: EvaluationChoices, key: str
) -> None:
    """The address of an evaluation is computed as it always was; only what a verdict means may change it."""
    (tmp_path / "runner.sh").write_text("pytest\n")
    image = "registry.example/shop:7"
    task = Task("shop_task", 7, tmp_path, image, ImageRecipe(name=image, context=tmp_path), {})
    submissions = [make_submission("agent2", (2,), b"second\r\n"), make_submission("agent1", (1,), b"\xff first")]
    assert evaluation_key(task, (1, 2), submissions, digest, choices) == key


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_three_members(ledgerkit: Task) -> None:
    evaluation = score(ledgerkit, gold(ledgerkit, 1, 5, 6), falsify="off")
    assert [step.agent_id for step in evaluation.stages[0].steps] == ["agent1", "agent5", "agent6"]
    assert evaluation.verdict.passed


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_nothing_handed_in(ledgerkit: Task) -> None:
    nobody = score(ledgerkit, {1: b"", 4: b""}, falsify="off")
    assert nobody.verdict.outcome is Outcome.NO_PATCH
    one = score(ledgerkit, {1: b"", **gold(ledgerkit, 4)}, falsify="off")
    assert [item.outcome for item in one.verdict.features] == [Outcome.NO_PATCH, Outcome.PASSED]


@pytest.mark.needs("sandbox")
def test_a_patch_that_does_not_apply_is_no_clean_merge(ledgerkit: Task) -> None:
    patch = b"--- a/src/ledgerkit/cli.py\n+++ b/src/ledgerkit/cli.py\n@@ -1,2 +1,2 @@\n-nothing like\n-this is there\n+x\n+y\n"
    evaluation = score(ledgerkit, {1: patch, **gold(ledgerkit, 4)}, falsify="off")
    assert evaluation.verdict.outcome is Outcome.PATCH_REJECTED
    assert evaluation.stages[0].status is StageStatus.REJECTED
    assert "patch failed: src/ledgerkit/cli.py" in evaluation.stages[0].steps[0].reason
    assert "agent1" in evaluation.verdict.features[0].reason


def test_an_image_that_is_not_there_is_an_infra_error(ledgerkit: Task, tmp_path: Path) -> None:
    recipe = ledgerkit.recipe.model_copy(update={"name": "none:such", "bundled": False, "repository": None})
    missing = Task(ledgerkit.repo, 1, ledgerkit.path, "none:such", recipe, ledgerkit.features)
    evaluation = score(missing, gold(ledgerkit, 1, 4), falsify="off")
    assert evaluation.verdict.outcome is Outcome.INFRA_ERROR
    assert evaluation.error is not None
    assert evaluation.error.boundary == "environment"
    assert reward(evaluation) is None


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_tests_that_hang_are_killed(ledgerkit: Task, tmp_path: Path) -> None:
    hang = append(
        base_checkout(ledgerkit, tmp_path / "repo"), "src/ledgerkit/cli.py", "import time; time.sleep(1000)\n"
    )
    assert score(
        ledgerkit, gold(ledgerkit, 1), falsify="off"
    ).verdict.passed  # the gold patch's own run needs no limit that short
    evaluation = score(ledgerkit, {1: hang}, time_limit=4, falsify="off")
    assert evaluation.verdict.outcome is Outcome.TESTS_FAILED
    assert "time limit" in evaluation.verdict.features[0].reason


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_many_groups_come_as_they_finish(ledgerkit: Task, shelfdb: Task) -> None:
    requests = [ScoreRequest(ledgerkit, gold(ledgerkit, 1, 4)), ScoreRequest(shelfdb, gold(shelfdb, 1, 3))]
    answers = list(score_many(requests, falsify="off"))
    assert sorted(answer.position for answer in answers) == [0, 1]
    assert all(answer.evaluation.verdict.passed for answer in answers)


@pytest.mark.needs("sandbox")
@pytest.mark.slow
def test_a_model_settles_what_git_cannot(ledgerkit: Task) -> None:
    asked = []

    def keep_both_sides(prompt: str) -> str:
        asked.append(prompt)
        lines = prompt.split("```\n", 1)[1].rsplit("```", 1)[0].splitlines(keepends=True)
        return (
            "```python\n"
            + "".join(line for line in lines if not line.startswith(("<<<<<<<", "=======", ">>>>>>>")))
            + "```\n"
        )

    pair = gold(ledgerkit, 4, 5)
    evaluation = score(
        ledgerkit, pair, policy="cascade", resolver=Resolver("keep-both", keep_both_sides), falsify="off"
    )
    assert asked
    assert [stage.name for stage in evaluation.stages] == ["naive", "union", "resolver"]
    assert evaluation.verdict.stage == "resolver"
    assert evaluation.stages[2].status is StageStatus.CLEAN
    refusing = score(
        ledgerkit, pair, policy="cascade", resolver=Resolver("no", lambda _: "I cannot do this."), falsify="off"
    )
    assert refusing.stages[2].status is StageStatus.CONFLICT


@pytest.mark.parametrize(("patches", "error"), [({}, UsageError), ({99: b""}, UnknownNameError)])
def test_what_cannot_be_scored(ledgerkit: Task, patches: dict[int, bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        score(ledgerkit, patches, falsify="off")
    with pytest.raises(UnknownNameError, match=r"naive@1, union@1, cascade@1"):
        score(ledgerkit, gold(ledgerkit, 1), policy="nope", falsify="off")


class TestEpisode:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> EpisodeDirectory:
        return EpisodeDirectory(tmp_path / "f1_f2")

    @pytest.mark.needs("sandbox")
    @pytest.mark.slow
    def test_written_and_used_again_until_something_changes(self, ledgerkit: Task, directory: EpisodeDirectory) -> None:
        result = finished_episode(directory, ledgerkit, gold(ledgerkit, 1, 2))
        first = evaluate_episode(directory, result, ledgerkit, EvaluationSettings(choices=UNPROVEN))
        assert read_model(directory.evaluation, Evaluation) == first
        assert first.verdict.outcome is Outcome.MERGE_CONFLICT
        assert b"<<<<<<<" in (directory.path / "merged_naive.patch").read_bytes()
        assert first.stages[1].merged_patch == "merged_union.patch"
        assert {stage.name: [s.outcome for s in stage.suites] for stage in first.stages[2:]} == {
            "single:agent1": [Outcome.PASSED],
            "single:agent2": [Outcome.PASSED],
        }
        other_policy = evaluate_episode(
            directory, result, ledgerkit, EvaluationSettings(policy="union", choices=UNPROVEN)
        )
        assert other_policy.verdict.passed
        assert other_policy.evaluated_at == first.evaluated_at  # nothing was executed
        directory.patch("agent2").write_bytes(b"")
        changed = evaluate_episode(directory, result, ledgerkit, EvaluationSettings(policy="union", choices=UNPROVEN))
        assert changed.key != first.key
        assert [item.outcome for item in changed.verdict.features] == [Outcome.PASSED, Outcome.NO_PATCH]

    @pytest.mark.needs("sandbox")
    @pytest.mark.slow
    def test_an_unreadable_evaluation_is_replaced(self, ledgerkit: Task, directory: EpisodeDirectory) -> None:
        result = finished_episode(directory, ledgerkit, gold(ledgerkit, 1, 4))
        directory.evaluation.write_text('{"schema_ver')
        assert evaluate_episode(directory, result, ledgerkit, EvaluationSettings(choices=UNPROVEN)).verdict.passed

    @pytest.mark.needs("sandbox")
    @pytest.mark.slow
    def test_errors_are_repeated(self, ledgerkit: Task, directory: EpisodeDirectory) -> None:
        result = finished_episode(directory, ledgerkit, gold(ledgerkit, 1, 4))
        recipe = ledgerkit.recipe.model_copy(update={"name": "none:such", "bundled": False, "repository": None})
        missing = Task(ledgerkit.repo, 1, ledgerkit.path, "none:such", recipe, ledgerkit.features)
        assert (
            evaluate_episode(directory, result, missing, EvaluationSettings(choices=UNPROVEN)).verdict.outcome
            is Outcome.INFRA_ERROR
        )
        assert evaluate_episode(directory, result, ledgerkit, EvaluationSettings(choices=UNPROVEN)).verdict.passed

    def test_an_episode_that_failed_is_never_scored(self, ledgerkit: Task, directory: EpisodeDirectory) -> None:
        failure = Failure(boundary="mailbox", kind="MailboxUnavailableError", message="no answer", retryable=True)
        result = finished_episode(directory, ledgerkit, gold(ledgerkit, 1, 4)).model_copy(
            update={"status": EpisodeStatus.INFRA_ERROR, "error": failure}
        )
        evaluation = evaluate_episode(directory, result, ledgerkit, EvaluationSettings(choices=UNPROVEN))
        assert evaluation.verdict.outcome is Outcome.INFRA_ERROR
        assert evaluation.error == failure
        assert evaluation.stages == ()
