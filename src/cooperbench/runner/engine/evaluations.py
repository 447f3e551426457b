"""Evaluating episodes: each in a process of its own, so that one that hangs can be killed and is then a failure of ours.

The process is forked like a member's. What it comes to lies in `eval.json`; what it opened is ended with it. One that fails for
a reason that can pass (a restarted engine, a killed process) is made again, and the suites that had run are not run again.
"""

import random
import shutil
import threading
import time
from dataclasses import dataclass, field

from cooperbench.errors import RecordError
from cooperbench.records import EpisodeResult, Evaluation, Failure, Outcome, read_model
from cooperbench.records.member_files import MemberFolder
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.orphans import discard
from cooperbench.runner.workers.output import last_line
from cooperbench.runner.workers.specs import EvaluationSpec

TICK = 1.0


@dataclass(frozen=True)
class EvaluationJob:
    """One finished episode to be judged."""

    run: str
    episode: Episode
    result: EpisodeResult
    backend: str
    policy: str
    options: EvaluationOptions = field(default_factory=EvaluationOptions)
    force: bool = False


def evaluate_one(job: EvaluationJob, services: Services, *, retries: int, retry_wait: float) -> Evaluation | Failure:
    """Judge one episode, or say why it could not be judged. A valid earlier evaluation is used again.

    It is repeated up to `retries` times where that can help, after `retry_wait` seconds, doubled each time.
    """
    for attempt in range(retries + 1):
        try:
            judged = _evaluate(job, services)
        except (OSError, RecordError) as error:  # a full disk
            return Failure(boundary="record", kind=type(error).__name__, message=str(error))
        failure = failure_of(judged)
        if failure is None or not failure.retryable or attempt == retries:
            break
        if services.stop.wait(retry_wait * 2**attempt * random.uniform(0.75, 1.25)):
            break
    return judged


def failure_of(judged: Evaluation | Failure) -> Failure | None:
    """Why there is no verdict; `None` when there is one."""
    if isinstance(judged, Failure):
        return judged
    if judged.verdict.outcome is not Outcome.INFRA_ERROR:
        return None
    # A suite's own failure is a line of text: the sandbox was lost under it, which another one need not be.
    reasons = [feature.reason for feature in judged.verdict.features if feature.outcome is Outcome.INFRA_ERROR]
    return judged.error or Failure(
        boundary="evaluation", kind="SuiteFailed", message="; ".join(reasons), retryable=True
    )


def _evaluate(job: EvaluationJob, services: Services) -> Evaluation | Failure:
    folder = MemberFolder(job.episode.directory.path / ".evaluation")
    discard(folder)
    folder.handles.mkdir(parents=True, exist_ok=True)
    spec = EvaluationSpec(
        run=job.run,
        episode=str(job.episode.group),
        directory=job.episode.directory.path,
        task_path=job.episode.task.path,
        bundled=job.episode.task.recipe.bundled,
        backend=job.backend,
        policy=job.policy,
        options=job.options,
        force=job.force,
        handles=folder.handles,
        slots=services.slots,
        ledger=services.ledger,
    )
    wake = threading.Event()
    worker = services.pool.start(spec, folder.log, wake)
    deadline = time.monotonic() + job.options.episode_time_limit
    why = ""
    while not worker.ended.is_set():
        wake.wait(TICK)
        if services.stop.is_set() or time.monotonic() > deadline:
            why = "interrupted" if services.stop.is_set() else f"took more than {job.options.episode_time_limit:.0f} s"
            worker.kill()
    worker.kill()
    discard(folder)
    failure = None if worker.succeeded else _failure(folder, worker.exit_text, why)
    shutil.rmtree(folder.path, ignore_errors=True)
    return failure or _read(job)


def _read(job: EvaluationJob) -> Evaluation | Failure:
    try:
        return read_model(job.episode.directory.evaluation, Evaluation)
    except (FileNotFoundError, RecordError) as error:
        return Failure(boundary="evaluation", kind=type(error).__name__, message=str(error), retryable=True)


def _failure(folder: MemberFolder, exit_text: str, why: str) -> Failure:
    message = why or last_line(folder.log) or f"its process {exit_text}"
    return Failure(
        boundary="evaluation", kind="EvaluationEnded", message=f"the evaluation {message}", retryable=not why
    )
