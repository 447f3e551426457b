"""Evaluate an episode: read its submissions, run the stages unless they are known, apply the policy, write `eval.json`.

An evaluation is addressed by what it depends on: the submissions, the task's files, the image and the version of the
evaluator. Another policy reads what is stored, and has only the stages evaluated that are missing. A changed patch runs again,
and so does an evaluation that failed.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cooperbench.environments import SandboxLabels, ensure_image
from cooperbench.errors import CooperBenchError, RecordError
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.patches import make_submission
from cooperbench.evaluation.policies import POLICIES, RESOLVER, apply_policy, missing_stage
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.stages import StagedEvaluation, evaluate_stages
from cooperbench.evaluation.testbench import EVALUATOR, TestBench
from cooperbench.records import (
    EpisodeDirectory,
    EpisodeResult,
    EpisodeStatus,
    Evaluation,
    EvaluationChoices,
    Failure,
    FeatureVerdict,
    Outcome,
    Stage,
    Submission,
    Verdict,
    read_model,
    utc_now,
    write_bytes,
    write_model,
)
from cooperbench.tasks import Task

Patches = Sequence[tuple[Submission, bytes]]
"""Submissions, each with its patch."""


def evaluate_episode(
    directory: EpisodeDirectory,
    result: EpisodeResult,
    task: Task,
    settings: EvaluationSettings,
    *,
    force: bool = False,
) -> Evaluation:
    """Evaluate what an episode's members submitted, and write `eval.json` and the merged patches beside it.

    A failure of the evaluation itself is an `infra_error` in the record, not an exception. Raises `UnknownNameError` for an
    unknown policy, and `RecordError` when the record cannot be read or written.
    """
    settings = settings.checked()
    if result.status is not EpisodeStatus.COMPLETED:
        error = result.error or Failure(boundary="agent", kind="Unfinished", message=f"the episode is {result.status}")
        evaluation = _failed(task, result.features, settings, "", error)
        write_model(directory.evaluation, evaluation)
        return evaluation

    def keep(stage: str, patch: bytes) -> str:
        file = f"merged_{stage}.patch"
        write_bytes(directory.path / file, patch)
        return file

    evaluation = evaluate_submissions(
        task,
        result.features,
        _read_submissions(directory, result),
        settings,
        known=None if force else _known(directory.evaluation),
        seed=_seed(_known(directory.evaluation)),
        keep=keep,
        labels=SandboxLabels(run=result.run, episode=directory.path.name, agent_id="evaluation"),
    )
    write_model(directory.evaluation, evaluation)
    return evaluation


def evaluate_submissions(
    task: Task,
    features: Sequence[int],
    submissions: Patches,
    settings: EvaluationSettings,
    *,
    known: Evaluation | None = None,
    seed: str | None = None,
    keep: Callable[[str, bytes], str] | None = None,
    labels: SandboxLabels | None = None,
) -> Evaluation:
    """Evaluate submissions given with their patches. `known` is an earlier evaluation, used again if it has the same key.

    `seed` chooses the broken tests; by default one is drawn. `keep` stores the merged patch of a stage and returns its file name. A failure
    of the evaluation itself becomes an `infra_error`. Raises `UnknownNameError` and `UsageError` for policies that cannot be applied.
    """
    started, settings, key = time.monotonic(), settings.checked(), ""
    try:
        digest = ensure_image(settings.backend, task.recipe)
        key = evaluation_key(task, features, [submission for submission, _ in submissions], digest, settings.choices)
        known = known if known and known.key == key else None
        if known and _answers(known, settings):
            return known.model_copy(update=_judge(settings, known.stages, features))
        staged = _evaluate(task, features, submissions, settings, known, seed, labels)
    except CooperBenchError as error:
        return _failed(task, features, settings, key, Failure.of(error))
    stages = tuple(_with_patch(stage, staged.merged.get(stage.name), keep) for stage in staged.stages)
    return _record(
        task,
        features,
        settings,
        key,
        image_digest=digest,
        dropped=tuple(staged.dropped),
        recounted=tuple(staged.recounted),
        stages=stages,
        seconds=round(time.monotonic() - started, 3),
        **_judge(settings, stages, features),
    )


def _judge(settings: EvaluationSettings, stages: Sequence[Stage], features: Sequence[int]) -> dict[str, Any]:
    """Return the fields `verdict` and `verdicts`. A policy whose stage is missing is left out: it has not spoken."""
    answered = [policy for policy in POLICIES if missing_stage(policy, stages) is None]
    verdicts = {policy: apply_policy(policy, stages, features) for policy in answered}
    asked = apply_policy(settings.policy, stages, features)
    return {"verdict": verdicts.get(settings.run_policy or settings.policy, asked), "verdicts": verdicts}


def evaluation_key(
    task: Task,
    features: Sequence[int],
    submissions: Sequence[Submission],
    image_digest: str | None,
    choices: EvaluationChoices,
) -> str:
    """Digest everything that the stages depend on, except the resolver: its stage says who made it."""
    facts = [
        EVALUATOR,
        task.key,
        task.revision,
        task.image,
        image_digest,
        list(features),
        [[each.agent_id, list(each.features), each.sha256] for each in sorted(submissions, key=lambda s: s.agent_id)],
        choices.model_dump(),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _evaluate(
    task: Task,
    features: Sequence[int],
    submissions: Patches,
    settings: EvaluationSettings,
    known: Evaluation | None,
    seed: str | None,
    labels: SandboxLabels | None,
) -> StagedEvaluation:
    base = base_of(task, settings.backend)
    labels = labels or SandboxLabels(run="evaluation", episode=task.key.replace("/", "-"))
    with open_store(base.store) as store:
        bench = TestBench(task, base, store, settings, labels, seed)
        bench.know(known.stages if known is not None else ())
        return evaluate_stages(bench, features, submissions, _wanted_policies(settings))


def _wanted_policies(settings: EvaluationSettings) -> set[str]:
    """Return the policies whose stages have to be there: the one asked for, and with a resolver those that need one."""
    return {settings.policy, *(name for name in POLICIES if settings.resolver and RESOLVER in POLICIES[name].stages)}


def _answers(known: Evaluation, settings: EvaluationSettings) -> bool:
    """Tell whether an earlier evaluation says all that is asked. Errors are repeated, not remembered."""
    suites = [suite for stage in known.stages for suite in stage.suites]
    if known.error is not None or any(suite.outcome is Outcome.INFRA_ERROR for suite in suites):
        return False
    valid = [stage for stage in known.stages if not _of_another_resolver(stage, settings)]
    return all(missing_stage(policy, valid) is None for policy in _wanted_policies(settings))


def _of_another_resolver(stage: Stage, settings: EvaluationSettings) -> bool:
    resolver = settings.resolver
    other = resolver is not None and (stage.resolver != resolver.name or stage.error is not None)
    return stage.name == RESOLVER and other


def _seed(known: Evaluation | None) -> str | None:
    """Return the seed of an earlier evaluation, so that another one of the same submissions breaks the same tests."""
    suites = [suite for stage in (known.stages if known else ()) for suite in stage.suites]
    return next((suite.falsification.seed for suite in suites if suite.falsification), None)


def _known(path: Path) -> Evaluation | None:
    try:
        return read_model(path, Evaluation)
    except (FileNotFoundError, RecordError):
        return None  # a file that cannot be read is replaced


def _read_submissions(directory: EpisodeDirectory, result: EpisodeResult) -> Patches:
    submissions = []
    for agent_id, member in result.agents.items():
        patch, file = b"", member.submission.file if member.submission is not None else ""
        if file:
            path = directory.path / file
            try:
                patch = path.read_bytes()
            except OSError as error:
                raise RecordError(f"cannot read the submission {path}: {error.strerror}", subject=str(path)) from error
        submissions.append((make_submission(agent_id, member.features, patch, file=file), patch))
    return submissions


def _with_patch(stage: Stage, patch: bytes | None, keep: Callable[[str, bytes], str] | None) -> Stage:
    if keep is None or patch is None:
        return stage
    return stage.model_copy(update={"merged_patch": keep(stage.name, patch)})


def _failed(task: Task, features: Sequence[int], settings: EvaluationSettings, key: str, error: Failure) -> Evaluation:
    verdicts = tuple(
        FeatureVerdict(feature=feature, outcome=Outcome.INFRA_ERROR, reason=error.message) for feature in features
    )
    verdict = Verdict(policy=settings.policy, outcome=Outcome.INFRA_ERROR, features=verdicts)
    return _record(task, features, settings, key, verdict=verdict, error=error)


def _record(task: Task, features: Sequence[int], settings: EvaluationSettings, key: str, **more: Any) -> Evaluation:
    return Evaluation(
        key=key,
        repo=task.repo,
        task_id=task.task_id,
        features=tuple(features),
        backend=settings.backend,
        image=task.image,
        evaluator=EVALUATOR,
        choices=settings.choices,
        evaluated_at=utc_now(),
        **more,
    )
