"""Test what would have been: an episode's work without some hunks, and with gold patches in the place of teammates."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cooperbench.errors import UsageError
from cooperbench.evaluation import EvaluationSettings
from cooperbench.evaluation.bisection import Bisection, find_breaking_hunks
from cooperbench.evaluation.substitution import Substitution, substitute_gold
from cooperbench.records import EvaluationChoices, Outcome, Record, RunDirectory, Submission
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.readers import read_patch
from cooperbench.records.run_result import RunResult
from cooperbench.runner.evaluating import plan_of
from cooperbench.tasks import Task


class Counterfactuals(Record):
    """What tests of changed versions of one episode's work say."""

    episode: str
    bisections: tuple[Bisection, ...] = ()
    """For each feature that fails after the merge and passes on its member's work alone."""
    substitutions: tuple[Substitution, ...] = ()
    """For each member: its work with gold patches for all other features."""


def run_counterfactuals(
    run: RunResult,
    episodes: Sequence[EpisodeView],
    dataset_dir: Path | None = None,
    *,
    bisect: bool = True,
    gold: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Counterfactuals]:
    """Run hidden tests on changed versions of episodes that failed. Runs suites one after the other on the run's backend.

    Raises `UsageError` when the run's tasks are not in the data set.
    """
    plan = plan_of(RunDirectory(run.directory), run.config, dataset_dir)
    tasks = {episode.group: episode.task for episode in plan.episodes}
    found = []
    for episode in episodes:
        if episode.verdict is None or episode.passed or episode.result is None or len(episode.result.agents) < 2:
            continue
        progress(str(episode.group))
        found.append(_test_one(run, episode, tasks[episode.group], bisect=bisect, gold=gold))
    return found


def _test_one(run: RunResult, episode: EpisodeView, task: Task, *, bisect: bool, gold: bool) -> Counterfactuals:
    choices = episode.evaluation.choices if episode.evaluation is not None else EvaluationChoices()
    # Nothing here is a verdict: a pass need not be proven by broken tests.
    settings = EvaluationSettings(run.config.backend, "naive", choices.model_copy(update={"falsify": "off"}))
    submissions = _submissions(episode)
    features = episode.group.features
    bisections = []
    for feature in _broken(episode) if bisect else ():
        try:
            bisections.append(find_breaking_hunks(task, features, submissions, feature, settings))
        except UsageError:  # a patch that does not apply was not merged
            continue
    return Counterfactuals(
        episode=str(episode.group),
        bisections=tuple(bisections),
        substitutions=substitute_gold(task, features, submissions, settings) if gold else (),
    )


def _submissions(episode: EpisodeView) -> list[tuple[Submission, bytes]]:
    members = episode.result.agents.values() if episode.result is not None else ()
    found = [member.submission for member in members if member.submission is not None]
    return [(each, read_patch(episode.files, each) if each.file else b"") for each in found]


def _broken(episode: EpisodeView) -> list[int]:
    """Return the features that pass alone and fail in the naive merge, or where that conflicts in the union."""
    stages = {stage.name: stage for stage in episode.evaluation.stages} if episode.evaluation is not None else {}
    merged = next((stages[name] for name in ("naive", "union") if name in stages and stages[name].suites), None)
    failing = {suite.feature for suite in merged.suites if suite.outcome is Outcome.TESTS_FAILED} if merged else set()
    alone = {
        suite.feature
        for name, stage in stages.items()
        if name.startswith("single:")
        for suite in stage.suites
        if suite.outcome is Outcome.PASSED
    }
    return sorted(failing & alone)
