"""Evaluate episodes, each in a process of its own, so that one that hangs can be killed.

The process is forked like a member's. Its result is `eval.json`; the sandboxes that it opened are ended with it. After a transient
failure (a restarted engine, a killed process) it is started again, and suites that have run do not run again.
"""

import shutil
import threading
import time

from cooperbench.errors import RecordError
from cooperbench.records import Evaluation, Failure, Outcome, RunConfig, read_model
from cooperbench.records.member_files import MemberFolder
from cooperbench.records.run_owner import OWNER
from cooperbench.runner.engine.queue import retry_pause
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.orphans import discard
from cooperbench.runner.workers.output import last_line
from cooperbench.runner.workers.specs import EvaluationSpec

TICK = 1.0


def evaluate_one(
    episode: Episode, config: RunConfig, options: SessionOptions, services: Services
) -> Evaluation | Failure:
    """Evaluate one finished episode under `config`, or return why that failed. A valid earlier evaluation is used again.

    After a transient failure it is retried as often as `options` say.
    """
    for attempt in range(1, options.retries + 2):
        try:
            evaluated = _evaluate(episode, config, options, services)
        except (OSError, RecordError) as error:  # a full disk
            return Failure(boundary="record", kind=type(error).__name__, message=str(error))
        failure = failure_of(evaluated)
        if failure is None or not failure.retryable or attempt > options.retries:
            break
        if services.stop.wait(retry_pause(options.retry_wait, attempt)):
            break
    return evaluated


def failure_of(judged: Evaluation | Failure) -> Failure | None:
    """Return the failure that takes the place of a verdict; `None` when there is a verdict."""
    if isinstance(judged, Failure):
        return judged
    if judged.verdict.outcome is not Outcome.INFRA_ERROR:
        return None
    # A suite that could not run has a line of text only: it lost its sandbox, and may keep the next one.
    reasons = [feature.reason for feature in judged.verdict.features if feature.outcome is Outcome.INFRA_ERROR]
    return judged.error or Failure(
        boundary="evaluation", kind="SuiteFailed", message="; ".join(reasons), retryable=True
    )


def _evaluate(episode: Episode, config: RunConfig, options: SessionOptions, services: Services) -> Evaluation | Failure:
    folder = MemberFolder(episode.directory.evaluation_work)
    discard(folder)
    folder.handles.mkdir(parents=True, exist_ok=True)
    spec = EvaluationSpec(
        run=config.run,
        episode=str(episode.group),
        directory=episode.directory.path,
        task_path=episode.task.path,
        bundled=episode.task.recipe.bundled,
        backend=config.backend,
        policy=config.policy,
        options=options.evaluation.model_copy(update={"falsify": config.falsify}),
        force=options.force,
        handles=folder.handles,
        slots=services.slots,
        ledger=services.ledger,
        variables={OWNER: services.owner},
    )
    wake = threading.Event()
    worker = services.pool.start(spec, folder.log, wake)
    limit = options.evaluation.episode_time_limit
    deadline = time.monotonic() + limit
    why = ""
    while not worker.ended.is_set():
        wake.wait(TICK)
        if services.stop.is_set() or time.monotonic() > deadline:
            why = "was interrupted" if services.stop.is_set() else f"took more than {limit:.0f} s"
            worker.kill()
    worker.kill()
    discard(folder)
    failure = None if worker.succeeded else _failure(folder, worker.exit_text, why)
    shutil.rmtree(folder.path, ignore_errors=True)
    return failure or _read(episode, options.evaluation.policy or config.policy)


def _read(episode: Episode, policy: str) -> Evaluation | Failure:
    """Read an evaluation with the verdict that the session is about."""
    try:
        evaluation = read_model(episode.directory.evaluation, Evaluation)
        return evaluation.model_copy(update={"verdict": evaluation.under(policy) or evaluation.verdict})
    except (FileNotFoundError, RecordError) as error:
        return Failure(boundary="evaluation", kind=type(error).__name__, message=str(error), retryable=True)


def _failure(folder: MemberFolder, exit_text: str, why: str) -> Failure:
    message = why or last_line(folder.log) or f"its process {exit_text}"
    return Failure(
        boundary="evaluation", kind="EvaluationEnded", message=f"the evaluation {message}", retryable=not why
    )
