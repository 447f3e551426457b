"""Run the agent under test once, as a real member in one of the runner's workers."""

import os
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cooperbench.agent_check.probe import LeftBehind, ProbedAgent
from cooperbench.collaboration.prompts import render_task
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.records import Limits, Member, Record, Setting, read_model
from cooperbench.records.member_files import AgentOutcome, MemberFolder, read_progress
from cooperbench.records.trajectory import read_journal
from cooperbench.runner.workers.orphans import discard
from cooperbench.runner.workers.output import read_end
from cooperbench.runner.workers.pool import Worker, WorkerPool
from cooperbench.runner.workers.specs import MemberSpec
from cooperbench.tasks import Task

_Model = TypeVar("_Model", bound=Record)

LOSE_AFTER = 0.3
"""Seconds that a sandbox which is to be lost lives."""
KILL_AGAIN = 0.5
"""Seconds between attempts to kill a worker, which can be killed only after its start was reported."""
PROBE = f"{ProbedAgent.__module__}:{ProbedAgent.__name__}"


class CheckedAgent(NamedTuple):
    """The agent under test, and the conditions of all its trials."""

    name: str
    config: dict[str, Any]
    config_path: str | None
    backend: str
    task: Task
    deadline: float
    """Seconds for each trial."""


class Trial(NamedTuple):
    """The conditions of one trial."""

    name: str
    model: str
    access: TeamAccess
    limits: Limits = Limits()
    lose_sandbox: bool = False
    """End the sandbox behind the agent's back."""


class TrialResult(NamedTuple):
    """The facts about one trial, read from the files of its member."""

    outcome: AgentOutcome | None
    """`None` when the process ended, or had to be ended, before `run` came back."""
    exit_code: int | None
    """`None` when the process did not end by itself."""
    left_behind: LeftBehind
    calls: int
    """Model calls that were charged to the budget."""
    messages: int
    returned_patch: bool
    changed: bool
    """The sandbox or the returned patch holds a change."""
    seconds: float
    output: str
    """The end of what the process printed."""


def run_trial(trial: Trial, agent: CheckedAgent, pool: WorkerPool, folder: Path) -> TrialResult:
    """Run the agent for at most the deadline, and remove everything that it leaves."""
    member = MemberFolder(folder / trial.name)
    left_behind = member.path / "left_behind.json"
    spec = _spec(trial, agent, member, left_behind)
    spec.log_dir.mkdir(parents=True)
    began = time.monotonic()
    worker = pool.start(spec, member.log, threading.Event())
    try:
        if trial.lose_sandbox:
            _lose_sandbox(worker, member, agent.deadline)
        in_time = worker.ended.wait(agent.deadline - (time.monotonic() - began))
    finally:
        worker.kill()  # what the agent left behind, if it has ended
        while not worker.ended.wait(KILL_AGAIN):
            worker.kill()
        discard(member)
    progress = read_progress(member.progress)
    returned, capture = member.returned_patch.exists(), member.read_capture()
    return TrialResult(
        outcome=_read(member.outcome, AgentOutcome),
        exit_code=os.waitstatus_to_exitcode(worker.status) if in_time and worker.status is not None else None,
        left_behind=_read(left_behind, LeftBehind) or LeftBehind(),
        calls=progress.steps if progress else 0,
        messages=len(read_journal(member.messages)),
        returned_patch=returned,
        changed=returned or bool(capture and capture.patch),
        seconds=time.monotonic() - began,
        output=read_end(member.log).decode(errors="replace"),
    )


def _spec(trial: Trial, agent: CheckedAgent, folder: MemberFolder, left_behind: Path) -> MemberSpec:
    feature = min(agent.task.features)
    member = Member(
        agent_id=trial.access.agent_id,
        agent=PROBE,
        model=trial.model,
        features=(feature,),
        config_path=agent.config_path,
        limits=trial.limits,
    )
    setting = Setting.COOP if trial.access.teammates else Setting.SOLO
    probe = {"agent": agent.name, "config": agent.config, "left_behind": str(left_behind)}
    return MemberSpec(
        run="agents-check",
        episode=trial.name,
        member=member,
        access=trial.access,
        task=render_task({feature: agent.task.features[feature].description}, trial.access, setting),
        image=agent.task.image,
        backend=agent.backend,
        environment={},
        config={**agent.config, "init": probe},
        store=folder.path / "store.git",
        folder=folder.path,
        log_dir=folder.path / "logs",
    )


def _lose_sandbox(worker: Worker, member: MemberFolder, deadline: float) -> None:
    """Wait until the agent has its sandbox, and end it a moment later."""
    end = time.monotonic() + deadline
    while not member.sandbox.exists() and time.monotonic() < end:
        if worker.ended.wait(0.05):
            return
    time.sleep(LOSE_AFTER)
    discard(member)


def _read(path: Path, kind: type[_Model]) -> _Model | None:
    try:
        return read_model(path, kind)
    except FileNotFoundError:
        return None
