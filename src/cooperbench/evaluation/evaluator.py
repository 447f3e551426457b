"""Evaluating an episode: read its submissions, run the stages unless they are known already, apply the policy, write `eval.json`.

An evaluation is addressed by what it depends on: the submissions, the task's files, the image and the version of the
evaluator. Asking again with another policy reads; a changed patch runs again; an evaluation that failed is repeated.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cooperbench.environments import Capability, SandboxLabels, capabilities, ensure_image
from cooperbench.errors import CooperBenchError, RecordError
from cooperbench.evaluation.bases import base_of
from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.policies import NAIVE, RESOLVER, UNION, apply_policy, check_policy
from cooperbench.evaluation.resolver import Resolver
from cooperbench.evaluation.settings import EvaluationSettings
from cooperbench.evaluation.stages import Contribution, StagedEvaluation, evaluate_stages
from cooperbench.evaluation.suites import SuiteConditions
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
    StageStatus,
    Verdict,
    read_model,
    utc_now,
    write_bytes,
    write_model,
)
from cooperbench.tasks import Task


def evaluate_episode(
    directory: EpisodeDirectory,
    result: EpisodeResult,
    task: Task,
    settings: EvaluationSettings,
    *,
    force: bool = False,
) -> Evaluation:
    """Judge what an episode's members handed in, and write `eval.json` and the merged patches beside it.

    A failure of the evaluation itself is an `infra_error` in the record, not an exception. Raises `UnknownNameError` for an unknown
    policy, and `RecordError` when the record cannot be read or written.
    """
    settings = _checked(settings)
    if result.status is not EpisodeStatus.COMPLETED:
        error = result.error or Failure(boundary="agent", kind="Unfinished", message=f"the episode is {result.status}")
        evaluation = _failed(task, result.features, settings, "", error)
        write_model(directory.evaluation, evaluation)
        return evaluation
    contributions = _read_contributions(directory, result)

    def keep(staged: StagedEvaluation) -> None:
        for stage, patch in staged.merged.items():
            write_bytes(directory.path / merged_patch_name(stage), patch)

    evaluation = evaluate_contributions(
        task,
        result.features,
        contributions,
        settings,
        known=None if force else _known(directory.evaluation),
        keep=keep,
        labels=SandboxLabels(run=result.run, episode=directory.path.name, agent_id="evaluation"),
    )
    write_model(directory.evaluation, evaluation)
    return evaluation


def merged_patch_name(stage: str) -> str:
    """The file beside `eval.json` that holds a stage's merged patch."""
    return f"merged_{stage}.patch"


def evaluate_contributions(
    task: Task,
    features: Sequence[int],
    contributions: Sequence[Contribution],
    settings: EvaluationSettings,
    *,
    known: Evaluation | None = None,
    keep: Callable[[StagedEvaluation], None] | None = None,
    labels: SandboxLabels | None = None,
) -> Evaluation:
    """Judge submissions that lie in memory. `known` is an earlier evaluation, used again where it has the same key.

    `keep` gets the merged patches, to store them. A failure of the evaluation itself becomes an `infra_error`.
    """
    started = time.monotonic()
    settings = _checked(settings)
    choices, resolver = settings.choices, settings.resolver
    key = ""
    try:
        digest = ensure_image(settings.backend, task.recipe)
        key = evaluation_key(task, features, contributions, digest, choices)
        known = known if known is not None and known.key == key else None
        if known is not None and _can_be_used_again(known, resolver):
            return known.model_copy(update={"verdict": apply_policy(settings.policy, known.stages, features)})
        base = base_of(task, settings.backend)
        conditions = SuiteConditions(
            backend=settings.backend,
            time_limit=choices.time_limit,
            network=choices.network or _network(task, settings.backend),
            labels=labels or SandboxLabels(run="evaluation", episode=task.key.replace("/", "-")),
        )
        with open_store(base.store) as store:
            bench = TestBench(
                task,
                base,
                store,
                conditions,
                workers=settings.workers,
                install=choices.install,
                slots=settings.slots,
            )
            bench.know(known.stages if known is not None else ())
            staged = evaluate_stages(
                task,
                features,
                contributions,
                base=base,
                store=store,
                bench=bench,
                choices=choices,
                resolver=resolver,
            )
    except CooperBenchError as error:
        return _failed(task, features, settings, key, Failure.of(error))
    stages = staged.stages
    if keep is not None:
        keep(staged)
        stages = [
            stage.model_copy(update={"merged_patch": merged_patch_name(stage.name)})
            if stage.name in staged.merged
            else stage
            for stage in stages
        ]
    return Evaluation(
        key=key,
        repo=task.repo,
        task_id=task.task_id,
        features=tuple(features),
        backend=settings.backend,
        image=task.image,
        image_digest=digest,
        evaluator=EVALUATOR,
        choices=choices,
        dropped=tuple(staged.dropped),
        recounted=tuple(staged.recounted),
        stages=tuple(stages),
        verdict=apply_policy(settings.policy, stages, features),
        seconds=round(time.monotonic() - started, 3),
        evaluated_at=utc_now(),
    )


def evaluation_key(
    task: Task,
    features: Sequence[int],
    contributions: Sequence[Contribution],
    image_digest: str | None,
    choices: EvaluationChoices,
) -> str:
    """Digest of everything that the stages depend on, but for the resolver: its stage says who made it."""
    submissions = [
        [c.agent_id, list(c.features), hashlib.sha256(c.patch).hexdigest()]
        for c in sorted(contributions, key=lambda c: c.agent_id)
    ]
    facts = [
        EVALUATOR,
        task.key,
        task.revision,
        task.image,
        image_digest,
        list(features),
        submissions,
        choices.model_dump(),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _checked(settings: EvaluationSettings) -> EvaluationSettings:
    """With the policy's full name. Raises `UnknownNameError`, `UsageError` where it lacks its resolver."""
    return replace(settings, policy=check_policy(settings.policy, resolver=settings.resolver is not None))


def _network(task: Task, backend: str) -> str:
    """Bundled tasks install nothing; published runners usually install the package again."""
    return "none" if task.recipe.bundled and Capability.NETWORK_OFF in capabilities(backend) else "default"


def _can_be_used_again(known: Evaluation, resolver: Resolver | None) -> bool:
    """Errors are repeated, not remembered; a resolver that was not asked yet has to be asked."""
    suites = [suite for stage in known.stages for suite in stage.suites]
    if known.error is not None or any(suite.outcome is Outcome.INFRA_ERROR for suite in suites):
        return False
    stages = {stage.name: stage for stage in known.stages}
    if resolver is None or stages[NAIVE].status is not StageStatus.CONFLICT:
        return True
    if apply_policy(UNION, known.stages, known.features).passed:
        return True
    settled = stages.get(RESOLVER)
    return settled is not None and settled.resolver == resolver.name and settled.error is None


def _known(path: Path) -> Evaluation | None:
    try:
        return read_model(path, Evaluation)
    except (FileNotFoundError, RecordError):
        return None  # a file that cannot be read is replaced


def _read_contributions(directory: EpisodeDirectory, result: EpisodeResult) -> list[Contribution]:
    contributions = []
    for agent_id, member in result.agents.items():
        patch = b""
        if member.submission is not None:
            path = directory.path / member.submission.file
            try:
                patch = path.read_bytes()
            except OSError as error:
                raise RecordError(f"cannot read the submission {path}: {error.strerror}", subject=str(path)) from error
        contributions.append(Contribution(agent_id, member.features, patch))
    return contributions


def _failed(
    task: Task,
    features: Sequence[int],
    settings: EvaluationSettings,
    key: str,
    error: Failure,
) -> Evaluation:
    verdicts = tuple(
        FeatureVerdict(feature=feature, outcome=Outcome.INFRA_ERROR, reason=error.message) for feature in features
    )
    return Evaluation(
        key=key,
        repo=task.repo,
        task_id=task.task_id,
        features=tuple(features),
        backend=settings.backend,
        image=task.image,
        evaluator=EVALUATOR,
        choices=settings.choices,
        verdict=Verdict(policy=settings.policy, outcome=Outcome.INFRA_ERROR, features=verdicts),
        evaluated_at=utc_now(),
        error=error,
    )
