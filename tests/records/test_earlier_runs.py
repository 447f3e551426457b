"""Runs made before are read, judged and resumed; see fixtures/README.md."""

import shutil
from pathlib import Path

import pytest

from cooperbench.environments import build_image
from cooperbench.evaluation import evaluation_key
from cooperbench.evaluation.testbench import EVALUATOR
from cooperbench.records import Outcome, PatchSource, RunDirectory, RunSummary, read_model
from cooperbench.records.episode_state import EpisodeState
from cooperbench.records.live import read_live
from cooperbench.records.readers import read_conversation, read_events, read_patch, read_trajectory
from cooperbench.runner import RunResult, evaluate, open_run, read_run, run
from cooperbench.runner.planning.resume import check_run
from cooperbench.tasks import discover_tasks
from tests.command_line import cooperbench
from tests.needs import need


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the runs, in the folder in which they were made."""
    shutil.copytree(Path(__file__).parent / "fixtures", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


@pytest.fixture
def image() -> None:
    """The image of their task, for those that are to be judged or run."""
    need("sandbox")
    [task] = discover_tasks(Path("dataset"))
    build_image("local", task.recipe)


def test_their_numbers_are_read(logs: Path) -> None:
    found = read_run("pairs", logs)
    assert [(str(each.group)[-5:], each.state, each.attempts, each.passed) for each in found.episodes] == [
        ("f1_f2", EpisodeState.FINISHED, 1, True),
        ("f1_f3", EpisodeState.FINISHED, 1, None),
        ("f1_f4", EpisodeState.FINISHED, 2, None),
        ("f2_f3", EpisodeState.INFRA_ERROR, 1, None),
        ("f2_f4", EpisodeState.UNFINISHED, 1, None),
        ("f3_f4", EpisodeState.NEW, 0, None),
    ]
    summary = found.summary
    assert (summary.planned, summary.completed, summary.infra_errors, summary.evaluated, summary.passed) == (
        6,
        3,
        1,
        1,
        1,
    )
    assert (summary.total_cost, summary.wasted_cost, summary.total_steps, summary.messages) == (0.12, 0.06, 12, 6)
    failed = found.episodes[3].result
    assert failed is not None
    assert failed.error is not None
    assert (failed.error.boundary, failed.error.kind) == ("model", "ModelAuthenticationError")
    alone = read_run("alone", logs)
    assert (alone.complete, alone.summary.passed, alone.summary.total_cost, alone.summary.wasted_cost) == (
        True,
        1,
        0.02,
        0,
    )


def test_their_keys_that_have_another_name_now_are_read(logs: Path) -> None:
    directory = RunDirectory(logs / "pairs")
    assert '"lost_cost": 0.04' in directory.summary.read_text()
    summary = read_model(directory.summary, RunSummary)
    assert (summary.wasted_cost, summary.requested_concurrency) == (0.04, 1)


def test_every_file_of_an_episode_is_read(logs: Path) -> None:
    judged, *_, unfinished, _ = read_run("pairs", logs).episodes
    files, result = judged.files, judged.result
    assert result is not None
    said = [(each.sender, each.to, each.message) for each in read_conversation(files)]
    assert said == [("agent1", "agent2", "part 1 is done"), ("agent2", "agent1", "part 2 is done")]
    kinds = [event.kind for event in read_events(files)]
    assert (kinds[0], kinds[-1], kinds.count("git.push")) == ("episode.started", "episode.ended", 2)
    assert all(event.details is not None for event in judged.events())
    assert read_trajectory(files, result, "agent2").messages[-1].message["content"] == "Submitted."
    member = result.agents["agent1"]
    assert (member.feature_id, member.cost, member.usage.input_tokens) == (1, 0.02, 2000)
    assert member.submission is not None
    assert member.submission.source is PatchSource.CAPTURED
    assert b"+NUMBER = 1\n" in read_patch(files, member.submission)
    assert judged.evaluation is not None
    stages = {stage.name: [suite.outcome for suite in stage.suites] for stage in judged.evaluation.stages}
    assert stages["naive"] == [Outcome.PASSED] * 2
    assert set(stages) == {"naive", "union", "single:agent1", "single:agent2"}
    assert [event.kind for event in read_events(unfinished.files)] == ["episode.started"] + ["member.started"] * 2
    [live] = read_live(*open_run("pairs", logs))
    assert [progress and progress.steps for progress in live.progress.values()] == [1, 1]


def test_they_are_listed_and_shown(logs: Path) -> None:
    listed = cooperbench("runs", "list", "--json").facts
    assert [(each["run"], each["completed"], each["passed"]) for each in listed] == [("alone", 1, 1), ("pairs", 3, 1)]
    shown = cooperbench("runs", "show", "pairs").out
    assert "3/6 episodes completed, 1/1 passed" in shown
    assert "$0.06 more was spent on discarded attempts" in shown
    assert "agent1 to agent2: part 1 is done" in cooperbench("runs", "show", "pairs", "parts_task/1/f1_f2").out


@pytest.mark.slow
@pytest.mark.ci
def test_they_are_judged(logs: Path, image: None) -> None:
    before = record(read_run("pairs", logs))
    result = evaluate("pairs", log_dir=logs, dataset_dir=Path("dataset"), falsify="off")
    outcomes = [each.verdict and each.verdict.outcome for each in result.episodes]
    assert outcomes == [Outcome.PASSED, Outcome.TESTS_FAILED, Outcome.TESTS_FAILED, None, None, None]
    after = record(result)
    assert set(before) <= set(after)
    assert {file for file in before if after[file] != before[file]} <= {judged_elsewhere(result)}
    # A session that runs nothing keeps what the one before it measured, under whichever names.
    assert result.summary.requested_concurrency == 1


@pytest.mark.slow
@pytest.mark.ci
def test_they_are_resumed(logs: Path, image: None) -> None:
    finished = read_run("pairs", logs)
    before = record(finished)
    # As if the session had been killed between an episode's result and the end of its work.
    finished.episodes[0].files.members.mkdir(parents=True)
    result = run(
        "pairs",
        model_name="scripted/script.yaml",
        dataset_dir=Path("dataset"),
        repo="parts",
        backend="local",
        git=True,
        max_cost=5.0,
        log_dir=logs,
        falsify="on",  # as all runs of before
    )
    assert result.complete
    assert [each.attempts for each in result.episodes] == [1, 1, 2, 2, 2, 1]
    assert [each.passed for each in result.episodes] == [True, False, False, False, False, False]
    after = record(result)
    assert set(before) <= set(after)
    touched = {file for file in before if after[file] != before[file]}
    assert touched <= {judged_elsewhere(result)}, "finished work was touched"
    assert not list(logs.rglob(".work"))
    assert '"wasted_cost": 0.06' in RunDirectory(logs / "pairs").summary.read_text()


def test_verdicts_of_an_earlier_evaluator_are_read_and_have_another_address(logs: Path) -> None:
    [task] = discover_tasks(Path("dataset"))
    for name in ("alone", "pairs"):
        episode = read_run(name, logs).episodes[0]
        evaluation, result = episode.evaluation, episode.result
        assert evaluation is not None
        assert result is not None
        assert evaluation.evaluator == "cooperbench-evaluator@3" != EVALUATOR
        submissions = [member.submission for member in result.agents.values() if member.submission is not None]
        key = evaluation_key(task, result.features, submissions, evaluation.image_digest, evaluation.choices)
        assert evaluation.key != key, "`eval` would take the verdict of another evaluator for its own"


def judged_elsewhere(result: RunResult) -> Path:
    """The verdict that was there before. The image is another one where other Python packages are installed: it is judged again."""
    return result.episodes[0].directory / "eval.json"


def record(result: RunResult) -> dict[Path, bytes]:
    """The files of finished episodes."""
    places = [each.directory for each in result.episodes if each.completed]
    return {file: file.read_bytes() for place in places for file in place.rglob("*") if file.is_file()}


def test_a_renamed_run_is_read_under_its_new_name(logs: Path) -> None:
    for name in ("renamed", "renamed by hand"):
        shutil.copytree(logs / "pairs", logs / name)
        assert read_run(name, logs).summary.run == name
        shown = cooperbench("runs", "show", name, "--log-dir", str(logs))
        assert shown.code == 0
        assert f"eval -n {name}" in shown.out
        assert open_run(name, logs)[1].run == name
        exported = logs.parent / f"package of {name}"
        assert cooperbench("runs", "export", name, str(exported), "--log-dir", str(logs)).code == 0
    listed = cooperbench("runs", "list", "--log-dir", str(logs)).out
    assert all(name in listed for name in ("alone", "pairs", "renamed ", "renamed by hand"))


def test_a_renamed_run_is_resumed(logs: Path) -> None:
    before, after = RunDirectory(logs / "alone"), RunDirectory(logs / "moved")
    config = open_run("alone", logs)[1]
    before.path.rename(after.path)
    found = check_run(after, config.model_copy(update={"run": "moved"}), force=False)
    assert (found.resumed, found.config.run) == (True, "moved")
