"""Run an agent under the harness's conditions, in its member's own process.

The harness decides where the agent's sandbox runs and what is set up in it, counts what the agent uses, captures its work
before the sandbox ends, and records how it went. All of that holds for any agent that opens one of CooperBench's environments,
whatever else it does. What cannot be done from inside a process (a deadline, a crash, a hang) is the runner's part.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from cooperbench.agents.budget import Budget, activate_budget, limit_of
from cooperbench.agents.call import AgentArguments, AnyRunner, run_agent
from cooperbench.agents.client_errors import provider_failure
from cooperbench.agents.journal import Journal, activate_call_journal, activate_journal
from cooperbench.agents.metering import Meter, metered
from cooperbench.agents.registry import get_runner
from cooperbench.agents.result import AgentResult
from cooperbench.collaboration.mailbox import messages_sent
from cooperbench.environments.contract import SandboxLabels
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.records import Ending, Failure, TrajectoryMessage, Usage, write_bytes, write_model
from cooperbench.records.activity import ActivityLog, activate_activity
from cooperbench.records.host_paths import without_host_paths
from cooperbench.records.ledger import RunLedger
from cooperbench.records.member_files import AgentOutcome, MemberFolder
from cooperbench.runner.workers.failures import REPORTED, ending_of, failure_of
from cooperbench.runner.workers.sandboxes import MemberSandboxes
from cooperbench.runner.workers.specs import MemberSpec
from cooperbench.runner.workers.tracebacks import keep_traceback
from cooperbench.runner.workers.usage import counted, pricer

MOST_MESSAGES = 20_000
"""Longer histories are cut: the runner reads all of them, and an agent must not be able to fill its memory."""


def work(spec: MemberSpec) -> None:
    """Run one member's agent and leave the results in the member's folder."""
    signal.signal(signal.SIGTERM, _end_on_request)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prefer_for_memory_shortage()
    carry_out(spec)


def carry_out(spec: MemberSpec, runner: AnyRunner | None = None) -> AgentOutcome:
    """Run one member's agent in this process, as it is, and leave the results in the member's folder.

    `runner` is an agent that was made already.
    """
    folder = MemberFolder(spec.folder)
    sandboxes = MemberSandboxes(spec, folder)
    ledger = None if spec.ledger is None else RunLedger(spec.ledger, spec.max_cost)
    budget = Budget(
        spec.member.limits,
        progress=folder.progress,
        waits=folder.waits,
        ledger=ledger,
        messages=lambda: messages_sent.count,
    )
    activity = ActivityLog(folder.activity)
    scope = EnvironmentScope(
        backend=spec.backend,
        overrides=spec.environment,
        labels=SandboxLabels(run=spec.run, episode=spec.episode, agent_id=spec.member.agent_id),
        handles=folder.handles,
        after_start=[sandboxes.prepare],
        before_cleanup=[sandboxes.capture],
        after_command=[activity.add],
    )
    with activate(scope), activate_budget(budget), activate_activity(activity):
        calls = Journal(folder.calls)
        meter = Meter(budget, calls, pricer(spec.config))
        with activate_journal(Journal(folder.messages)), activate_call_journal(calls), metered(meter):
            outcome = _run(spec, folder, budget, runner)
        sandboxes.close()
    failure = meter.failure or provider_failure(budget.provider_failure)
    if outcome.ending is Ending.ERROR and failure is not None:
        # However the agent reports it: its last call failed, and not for what it asked.
        outcome = outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": Failure.of(failure)})
    budget.charge_unseen(outcome.usage.cost)
    settled = _settle_outcome(counted(outcome, budget), budget, sandboxes.failure)
    write_model(folder.outcome, settled)
    return settled


def _run(spec: MemberSpec, folder: MemberFolder, budget: Budget, runner: AnyRunner | None) -> AgentOutcome:
    try:
        result = run_agent(runner or get_runner(spec.member.agent, spec.config), _arguments(spec))
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if not interrupted:
            keep_traceback(spec.log_dir, error)
        return AgentOutcome(
            ending=Ending.INTERRUPTED if interrupted else ending_of(error, budget.steps),
            status="Interrupted" if interrupted else "Error",
            steps=budget.steps,
            usage=budget.usage,
            error=None if interrupted else failure_of(error),
            limit=limit_of(error),
        )
    _keep_result(folder, result)
    return AgentOutcome(
        ending=_ending_of_result(result),
        status=result.status,
        steps=result.steps,
        usage=Usage.model_validate(result, from_attributes=True),
        error=Failure(boundary="agent", kind=REPORTED, message=without_host_paths(result.error))
        if result.error
        else None,
    )


def _arguments(spec: MemberSpec) -> AgentArguments:
    return AgentArguments(
        task=spec.task,
        image=spec.image,
        agent_id=spec.member.agent_id,
        model_name=spec.member.model,
        agents=list(spec.access.agents),
        comm_url=spec.access.comm_url,
        git_server_url=spec.access.git_server_url,
        git_enabled=spec.access.git_server_url is not None,
        messaging_enabled=spec.access.comm_url is not None,
        config=spec.config,
        agent_config=spec.member.config_path,
        log_dir=str(spec.log_dir),
    )


def _ending_of_result(result: AgentResult) -> Ending:
    if result.error or result.status.lower() == "error":
        return Ending.ERROR
    return Ending.LIMIT if "limit" in result.status.lower() else Ending.SUBMITTED


def _keep_result(folder: MemberFolder, result: AgentResult) -> None:
    if result.patch.strip():
        write_bytes(folder.returned_patch, result.patch.encode("utf-8", "surrogateescape"))
    if not folder.messages.exists() or folder.messages.stat().st_size == 0:
        kept = result.messages[:MOST_MESSAGES]
        if len(result.messages) > MOST_MESSAGES:
            kept.append({"role": "harness", "omitted": len(result.messages) - MOST_MESSAGES})
        entries = (TrajectoryMessage(message=message).model_dump(mode="json") for message in kept)
        write_bytes(folder.messages, b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))


def _settle_outcome(outcome: AgentOutcome, budget: Budget, failure: Failure | None) -> AgentOutcome:
    """Let a failure of the harness or a limit decide how the work ended, whatever the agent made of it."""
    if outcome.ending is Ending.INTERRUPTED and budget.reached is None:
        return outcome
    if failure is not None:
        return outcome.model_copy(update={"ending": Ending.INFRA_ERROR, "error": failure})
    if budget.reached is not None:
        status = "LimitsExceeded" if outcome.ending is Ending.INTERRUPTED else outcome.status
        changes = {"ending": Ending.LIMIT, "status": status, "limit": limit_of(budget.reached), "error": None}
        return outcome.model_copy(update=changes)
    return outcome


def _end_on_request(number: int, frame: FrameType | None) -> None:
    """Interrupt the agent, once: the runner asks for it before it kills."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _prefer_for_memory_shortage() -> None:
    """Have the kernel end an agent, not the runner or another run, when the host runs out of memory."""
    if sys.platform == "linux":
        Path(f"/proc/{os.getpid()}/oom_score_adj").write_text("500")
