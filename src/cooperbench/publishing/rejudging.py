"""Judge the patches of a bundle again, and compare with what it says, test by test.

What is judged are the patches alone, under a configuration of this program: nothing that the bundle says decides where or how its code
runs. Broken tests are drawn anew, because whoever wrote the bundle knows those that its verdicts were proven with.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.evaluation.policies import apply_policy
from cooperbench.records import (
    Evaluation,
    Falsify,
    GroupKey,
    Outcome,
    RunDirectory,
    Stage,
    TestCase,
    write_bytes,
    write_model,
)
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.published import Discrepancy, DiscrepancyKind, PublishedRun
from cooperbench.records.readers import read_patch
from cooperbench.records.run_result import RunResult
from cooperbench.runner.engine.observer import Observer
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.evaluating import evaluate_run
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.planning.plan import DEMO
from cooperbench.tasks import Task, discover_tasks

REPEATS = 2
"""How often an episode that differs is judged once more before the difference stands."""


@dataclass(frozen=True)
class JudgingOptions:
    """Where and how patches are judged again."""

    backend: str | None = None
    """By default the bundle's."""
    dataset_dir: Path | None = None
    jobs: int = 2
    """Evaluations at the same time."""
    falsify: Falsify | None = None
    """By default as in the bundle."""
    observer: Observer | None = None


@dataclass
class JudgedAgain:
    """What came of judging episodes again."""

    judged: int = 0
    tests: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)
    flaky: list[Discrepancy] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_data(run: RunResult, groups: Sequence[GroupKey], dataset_dir: Path | None) -> None:
    """Raise `UsageError` unless the tasks of these groups are here in the revision that the bundle was judged with."""
    subset = DEMO if run.config.tasks.dataset == DEMO else None
    tasks: Mapping[str, Task] = {task.key: task for task in discover_tasks(dataset_dir, subset)}
    for group in groups:
        if group.task not in tasks:
            raise UnknownNameError("task", group.task, tasks, hint="--dataset-dir names the data set of the bundle")
        result = run.episode(str(group)).result
        revision = result.task_revision if result is not None else None
        here = tasks[group.task].revision
        if revision is not None and revision != here:
            raise UsageError(
                f"{group.task} is another revision here: {here[:12]}, and {revision[:12]} in the bundle",
                subject=group.task,
                hint="--dataset-dir names the data set of the bundle, or verify it with its version of cooperbench",
            )


def judge_again(
    run: RunResult, said: PublishedRun, groups: Sequence[GroupKey], scratch: Path, options: JudgingOptions
) -> JudgedAgain:
    """Judge these episodes again below the empty folder `scratch`. One that differs is judged again twice, and what differs each time stands."""
    found = JudgedAgain(judged=len(groups))
    if options.falsify not in (None, said.choices.falsify):
        found.notes.append(
            f"{run.config.run}: falsify is {said.choices.falsify} in the bundle, and was {options.falsify} here"
        )
    seen: dict[GroupKey, list[list[Discrepancy]]] = {group: [] for group in groups}
    for attempt in range(1 + REPEATS):
        pending = [group for group, differences in seen.items() if attempt == 0 or differences[-1]]
        if not pending:
            break
        judged = _judge(run, said, pending, scratch / f"judged-{attempt}", options)
        for group in pending:
            comparison = _Episodes(run.config.run, run.policy, run.episode(str(group)), judged.episode(str(group)))
            seen[group].append(list(comparison.differences()))
            if attempt == 0:
                found.tests += comparison.tests
                found.notes += comparison.notes()
    for differences in seen.values():
        stands, flaky = split_flaky(differences)
        found.discrepancies += stands
        found.flaky += flaky
    return found


def split_flaky(attempts: Sequence[Sequence[Discrepancy]]) -> tuple[list[Discrepancy], list[Discrepancy]]:
    """Divide what several attempts at one episode found into what each of them shows, and what is flaky."""
    places = [{each.place for each in attempt} for attempt in attempts]
    found = {each.place: each for attempt in reversed(attempts) for each in attempt}
    stands = [each for place, each in found.items() if all(place in attempt for attempt in places)]
    return stands, [each for each in found.values() if each not in stands]


def _judge(
    run: RunResult, said: PublishedRun, groups: Sequence[GroupKey], place: Path, options: JudgingOptions
) -> RunResult:
    """Judge patches as a run of their own, without anything else of the bundle."""
    directory = RunDirectory(place)
    config = run.config.model_copy(update={"run": place.name, "groups": tuple(groups), "environment": {}})
    write_model(directory.config, config)
    for group in groups:
        _copy_patches(run.episode(str(group)), directory)
    choices = said.choices.model_copy(update={"falsify": options.falsify or said.choices.falsify, "network": None})
    return evaluate_run(
        place.name,
        log_dir=place.parent,
        dataset_dir=options.dataset_dir,
        backend=options.backend,
        policy=run.policy,
        options=SessionOptions(
            eval_concurrency=options.jobs, evaluation=EvaluationOptions.model_validate(choices.model_dump())
        ),
        observer=options.observer,
    )


def _copy_patches(episode: EpisodeView, directory: RunDirectory) -> None:
    assert episode.result is not None
    place = directory.episode(episode.result.setting, episode.group)
    for member in episode.result.agents.values():
        if member.submission is not None and member.submission.file:
            write_bytes(place.path / member.submission.file, read_patch(episode.files, member.submission))
    write_model(place.result, episode.result.model_copy(update={"features": episode.group.features}))


class _Suite(NamedTuple):
    """The suite of one feature in one stage."""

    stage: str
    feature: int


class _Episodes:
    """One episode as the bundle has it, beside itself judged again."""

    def __init__(self, run: str, policy: str, said: EpisodeView, judged: EpisodeView) -> None:
        self._place = f"{run} {said.group}"
        self._policy = policy
        self._said = said
        self._judged = judged
        self.tests = 0

    def notes(self) -> Iterator[str]:
        """Yield what may explain differences."""
        said, judged = self._said.evaluation, self._judged.evaluation
        if said is not None and judged is not None and said.image_digest != judged.image_digest:
            images = f"{_short(said.image_digest)} in the bundle, {_short(judged.image_digest)} here"
            yield f"{self._place}: another image: {images}"

    def differences(self) -> Iterator[Discrepancy]:
        """Yield verdict, merges and tests that differ."""
        said, judged = self._said.evaluation, self._judged.evaluation
        assert said is not None
        if judged is None or self._judged.verdict is None:
            why = self._judged.note or "the evaluation failed"
            yield Discrepancy(kind=DiscrepancyKind.NOT_JUDGED, place=self._place, detail=why)
            return
        yield from self._verdicts(said, judged)
        again = {stage.name: stage for stage in judged.stages}
        for stage in said.stages:
            if stage.name in again:
                yield from self._merges(stage, again[stage.name])
        yield from self._tests(said, judged)

    def _verdicts(self, said: Evaluation, judged: Evaluation) -> Iterator[Discrepancy]:
        for feature in self._said.group.features:
            stated = self._outcome(said, feature)
            found = self._outcome(judged, feature)
            if stated is not found:
                place = f"{self._place} feature {feature}"
                detail = f"{stated} in the bundle, {found} here"
                yield Discrepancy(kind=DiscrepancyKind.VERDICT, place=place, detail=detail)

    def _outcome(self, evaluation: Evaluation, feature: int) -> Outcome:
        return apply_policy(self._policy, evaluation.stages, (feature,)).features[0].outcome

    def _merges(self, said: Stage, judged: Stage) -> Iterator[Discrepancy]:
        if (said.status, said.tree) != (judged.status, judged.tree):
            detail = f"{said.status} {_short(said.tree)} in the bundle, {judged.status} {_short(judged.tree)} here"
            yield Discrepancy(kind=DiscrepancyKind.MERGE, place=f"{self._place} {said.name}", detail=detail)

    def _tests(self, said: Evaluation, judged: Evaluation) -> Iterator[Discrepancy]:
        again = dict(_suites(judged))
        for suite, tests in _suites(said):
            if suite not in again:
                continue
            stated = {test.name: test.status for test in tests}
            found = {test.name: test.status for test in again[suite]}
            self.tests += len(stated)
            for name in dict.fromkeys([*stated, *found]):
                one, other = stated.get(name, "absent"), found.get(name, "absent")
                if one != other:
                    place = f"{self._place} {suite.stage} feature {suite.feature}: {name}"
                    yield Discrepancy(
                        kind=DiscrepancyKind.TEST, place=place, detail=f"{one} in the bundle, {other} here"
                    )


def _suites(evaluation: Evaluation) -> Iterator[tuple[_Suite, tuple[TestCase, ...]]]:
    for stage in evaluation.stages:
        for suite in stage.suites:
            yield _Suite(stage.name, suite.feature), suite.tests


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest.removeprefix("sha256:")[:12]
