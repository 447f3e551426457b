"""Evaluating episodes: each in a process of its own, so that one that hangs can be killed and is then a failure of ours.

The process is forked like a member's. What it comes to lies in `eval.json`; what it opened is ended with it.
"""

import shutil
import threading
import time
from dataclasses import dataclass, field

from cooperbench.errors import RecordError
from cooperbench.records import EpisodeResult, Evaluation, Failure, read_model
from cooperbench.runner.episodes.job import Services
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.planning.plan import Episode
from cooperbench.runner.workers.leftovers import discard
from cooperbench.runner.workers.orders import EvaluationOrder, MemberFolder

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


def evaluate_one(job: EvaluationJob, services: Services) -> Evaluation | Failure:
    """Judge one episode, or say why it could not be judged. A valid earlier evaluation is used again."""
    folder = MemberFolder(job.episode.directory.path / ".evaluation")
    discard(folder)
    folder.handles.mkdir(parents=True, exist_ok=True)
    order = EvaluationOrder(
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
    )
    wake = threading.Event()
    worker = services.pool.start(order, folder.log, wake)
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
    lines = folder.log.read_text(errors="replace").strip().splitlines() if folder.log.exists() else []
    message = why or (lines[-1] if lines else f"its process {exit_text}")
    return Failure(boundary="evaluation", kind="EvaluationEnded", message=f"the evaluation {message}", retryable=True)
