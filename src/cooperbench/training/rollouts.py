"""Play one episode for a trainer: without a run name, with each member's model behind an endpoint of its own."""

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cooperbench.environments import reap
from cooperbench.errors import CooperBenchError, UnknownNameError, UsageError
from cooperbench.evaluation.policies import DEFAULT_POLICY
from cooperbench.records import EpisodeStatus, Failure, Limits, Setting, default_log_dir
from cooperbench.records.paths import AnyPath
from cooperbench.records.run_lock import locked
from cooperbench.runner.engine.engine import SessionEnd
from cooperbench.runner.engine.evaluations import evaluate_one
from cooperbench.runner.engine.images import ensure_images
from cooperbench.runner.engine.observer import Silent
from cooperbench.runner.engine.session import SessionOptions
from cooperbench.runner.episodes.episode import run_episode
from cooperbench.runner.episodes.job import Job, Services
from cooperbench.runner.planning.evaluation_options import EvaluationOptions
from cooperbench.runner.planning.plan import Plan, make_plan
from cooperbench.runner.planning.preflight import preflight, refuse
from cooperbench.runner.planning.request import RunRequest, default_falsify
from cooperbench.runner.planning.resume import check_writable, write_config
from cooperbench.runner.running import sum_up
from cooperbench.tasks import Task
from cooperbench.tasks.dataset import find_task
from cooperbench.training.endpoint import Endpoint, team_entries
from cooperbench.training.rewards import RewardPart, Rewards, read_weights
from cooperbench.training.services import SharedServices, shared_services
from cooperbench.training.team_rollout import TeamRollout, team_rollout
from cooperbench.training.without_member import judge_without_each


@dataclass(frozen=True)
class RolloutRequest:
    """A request for one rollout, before any of it is checked. See `rollout`."""

    task: Task | str
    features: Sequence[int]
    members: Mapping[str, Endpoint]
    setting: str
    git: bool
    messaging: bool
    rewards: Rewards
    limits: Limits | None
    backend: str | None
    agent: str | None
    environment: Mapping[str, Any] | None
    evaluation: EvaluationOptions | None
    log_dir: AnyPath | None


class _Ready(NamedTuple):
    """A rollout that was checked and can start."""

    plan: Plan
    keys: dict[str, str]
    weights: dict[RewardPart, float]
    options: SessionOptions


def rollout(
    task: Task | str,
    features: Sequence[int],
    members: Mapping[str, Endpoint],
    *,
    setting: str = "coop",
    git: bool = False,
    messaging: bool = True,
    rewards: Rewards = "all",
    limits: Limits | None = None,
    backend: str | None = None,
    agent: str | None = None,
    environment: Mapping[str, Any] | None = None,
    evaluation: EvaluationOptions | None = None,
    log_dir: AnyPath | None = None,
) -> TeamRollout:
    """Let a team work on a group of features, judge its work, and return what each member is rewarded with.

    `task` is a task or its name, such as `shelfdb_task/1`; `members` has an endpoint for each agent id (`agent1`, … in the order of the
    features, `solo` alone). `rewards` are the parts that count; `limits` apply to each member; `evaluation` says how the work is judged.
    The record lies in a folder of its own below `log_dir`, by default `rollouts` in the usual one. A failure of infrastructure is a
    result without rewards.

    Raises `UsageError` for what cannot work, before anything is started or written. Ctrl-C ends the sandboxes first.
    """
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError("rollout() would block the running event loop", hint="await rollout_async(...)")
    choices = (setting, git, messaging, rewards, limits, backend, agent, environment, evaluation, log_dir)
    return asyncio.run(_run(RolloutRequest(task, features, members, *choices)))


async def rollout_async(
    task: Task | str,
    features: Sequence[int],
    members: Mapping[str, Endpoint],
    *,
    setting: str = "coop",
    git: bool = False,
    messaging: bool = True,
    rewards: Rewards = "all",
    limits: Limits | None = None,
    backend: str | None = None,
    agent: str | None = None,
    environment: Mapping[str, Any] | None = None,
    evaluation: EvaluationOptions | None = None,
    log_dir: AnyPath | None = None,
) -> TeamRollout:
    """Do what `rollout` does without blocking the event loop. Hundreds may be awaited at once.

    Once cancelled, it ends its sandboxes before it raises `CancelledError`.
    """
    choices = (setting, git, messaging, rewards, limits, backend, agent, environment, evaluation, log_dir)
    return await _run(RolloutRequest(task, features, members, *choices))


async def _run(request: RolloutRequest) -> TeamRollout:
    ready = await asyncio.to_thread(_check, request)
    shared, stop = shared_services(), threading.Event()
    shared.gate.announce()
    playing = asyncio.wrap_future(shared.threads.submit(_play, ready, shared, stop))
    try:
        return await asyncio.shield(playing)
    except asyncio.CancelledError:
        stop.set()
        while not playing.done():  # whatever else is cancelled meanwhile
            with suppress(asyncio.CancelledError):
                await asyncio.wait({playing})
        playing.cancelled() or playing.exception()
        raise


def _check(request: RolloutRequest) -> _Ready:
    """Check everything, and lay out the episode. Raises `UsageError`."""
    weights = read_weights(request.rewards)
    if request.setting not in list(Setting):
        raise UnknownNameError("setting", request.setting, [each.value for each in Setting])
    setting = Setting(request.setting)
    if isinstance(request.features, int | str):
        raise UsageError(f"features is {request.features!r}, not a list of numbers", subject="features", hint="(1, 2)")
    task = find_task(request.task) if isinstance(request.task, str) else request.task
    evaluation = request.evaluation or EvaluationOptions(singles="none" if setting.alone else "all")
    wanted = RunRequest(
        run_name=f"{task.repo}-{task.task_id}-{uuid.uuid4().hex[:12]}",
        setting=setting,
        members=team_entries(request.members, setting, len(request.features), request.agent),
        repo=task.repo,
        task=task.task_id,
        dataset_dir=task.dataset_dir,
        features=tuple(request.features),
        backend=request.backend,
        environment=dict(request.environment or {}),
        git=request.git,
        messaging=request.messaging,
        limits=request.limits or Limits(),
        policy=evaluation.policy or DEFAULT_POLICY,
        falsify=evaluation.falsify_or(default_falsify()),
        log_dir=Path(request.log_dir).expanduser() if request.log_dir else default_log_dir() / "rollouts",
    )
    plan = make_plan(wanted)
    check_writable(plan.directory)
    evaluation.check(plan.config.policy)
    refuse(preflight(plan.config, plan.tasks, evaluation, plan.team), "the rollout")
    keys = {name: endpoint.key for name, endpoint in request.members.items() if endpoint.key}
    return _Ready(plan, keys, weights, SessionOptions(evaluation=evaluation))


def _play(ready: _Ready, shared: SharedServices, stop: threading.Event) -> TeamRollout:
    """Run and judge the episode in this thread. Raises `CancelledError` once `stop` is set and everything has ended."""
    began = time.monotonic()
    with shared.gate.permission_to_begin() as at_work:
        if stop.is_set():
            raise CancelledError
        plan, broken = _with_image(ready.plan)
        services = shared.of(plan.config, plan.directory, ready.keys, stop)
        [episode] = plan.episodes
        with locked(plan.directory), _cancellable(stop, services, plan.config.backend):
            write_config(plan.directory, plan.config)
            result = run_episode(Job(plan.config, episode, blocked=broken), services, at_work)
            judged, without = None, {}
            if result.status is EpisodeStatus.COMPLETED:
                judged = evaluate_one(episode, plan.config, ready.options, services)
                if RewardPart.DIFFERENCE in ready.weights:
                    without = judge_without_each(episode, result, judged, plan.config, ready.options, services)
        sum_up(plan.directory, plan.config, SessionEnd())
    return team_rollout(
        result,
        judged,
        ready.weights,
        without=without,
        policy=plan.config.policy,
        seconds=time.monotonic() - began,
        record=plan.directory.path,
        episode=episode.directory.path,
    )


def _with_image(plan: Plan) -> tuple[Plan, Failure | None]:
    """Have the task's image ready, and note its digest; or say why it is not."""
    images = ensure_images(plan.config.backend, plan.tasks, Silent())
    config = plan.config.model_copy(update={"image_digests": images.digests})
    return replace(plan, config=config), images.broken.get(plan.episodes[0].task.image)


@contextmanager
def _cancellable(stop: threading.Event, services: Services, backend: str) -> Iterator[None]:
    """Raise `CancelledError` after the block if it was stopped, with no sandbox left."""
    try:
        yield
    finally:
        if stop.is_set():
            with suppress(CooperBenchError):
                reap(backend, services.owner)
    if stop.is_set():
        raise CancelledError
