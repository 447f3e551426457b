"""Run an agent under the harness's conditions, in its member's own process.

The harness decides where the agent's sandbox runs and what is set up in it, counts what the agent uses, captures its work
before the sandbox ends, and records how it went. All of that holds for any agent that opens one of CooperBench's environments,
whatever else it does. What cannot be done from inside a process (a deadline, a crash, a hang) is the runner's part.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from cooperbench.agents.budget import Budget, activate_budget, limit_of
from cooperbench.agents.call import AgentArguments, run_agent
from cooperbench.agents.journal import Journal, activate_journal
from cooperbench.agents.metering import Meter, metered
from cooperbench.agents.registry import get_runner
from cooperbench.agents.result import AgentResult
from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.connect import connect
from cooperbench.collaboration.mailbox import messages_sent
from cooperbench.environments import Environment
from cooperbench.environments.bases import prepare_for_agent
from cooperbench.environments.contract import SandboxLabels
from cooperbench.environments.scope import EnvironmentScope, activate
from cooperbench.environments.worktree import capture
from cooperbench.records import Ending, Failure, TrajectoryMessage, Usage, write_bytes, write_model
from cooperbench.records.ledger import RunLedger
from cooperbench.records.member_files import AgentOutcome, MemberFolder, StartedSandbox
from cooperbench.runner.workers.failures import REPORTED, ending_of, failure_of
from cooperbench.runner.workers.specs import MemberSpec
from cooperbench.runner.workers.usage import counted, pricer

MOST_MESSAGES = 20_000
"""Longer histories are cut: the runner reads all of them, and an agent must not be able to fill its memory."""


def work(spec: MemberSpec) -> None:
    """Run one member's agent and leave the results in the member's folder."""
    signal.signal(signal.SIGTERM, _end_on_request)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _prefer_for_memory_shortage()
    folder = MemberFolder(spec.folder)
    sandboxes = _Sandboxes(spec, folder)
    ledger = None if spec.ledger is None else RunLedger(spec.ledger, spec.max_cost)
    budget = Budget(
        spec.member.limits,
        progress=folder.progress,
        waits=folder.waits,
        ledger=ledger,
        messages=lambda: messages_sent.count,
    )
    scope = EnvironmentScope(
        backend=spec.backend,
        overrides=spec.environment,
        labels=SandboxLabels(run=spec.run, episode=spec.episode, agent_id=spec.member.agent_id),
        handles=folder.handles,
        after_start=[sandboxes.prepare],
        before_cleanup=[sandboxes.capture],
    )
    with activate(scope), activate_budget(budget):
        meter = Meter(budget, Journal(folder.calls), pricer(spec.config))
        with activate_journal(Journal(folder.messages)), metered(meter):
            outcome = _run(spec, folder, budget)
        sandboxes.close()
    budget.charge_unseen(outcome.usage.cost)
    write_model(folder.outcome, _settle_outcome(counted(outcome, budget), budget, sandboxes.failure))


class _Sandboxes:
    """Set up the sandboxes that the agent opens, and take their work before they end."""

    def __init__(self, spec: MemberSpec, folder: MemberFolder) -> None:
        self._spec = spec
        self._folder = folder
        self._ready: dict[int, tuple[Environment, str, CoopBridge | None]] = {}
        self.failure: Failure | None = None
        """The harness's own failure, kept even where the agent swallows the error."""

    def prepare(self, environment: Environment) -> None:
        try:
            # The agent gets to see what the image has checked out; nothing later may be found beside it.
            base = prepare_for_agent(environment, self._spec.store)
            # Alone there is nobody to speak to, and nothing of a team is put into the sandbox.
            together = len(self._spec.access.agents) > 1
            bridge = connect(environment, self._spec.access, history_stripped=True) if together else None
        except BaseException as error:
            self.failure = Failure.of(error, boundary="environment")
            raise
        self._ready[id(environment)] = (environment, base, bridge)
        started = StartedSandbox(isolation=environment.isolation, image_digest=environment.image_digest, base_tree=base)
        write_model(self._folder.sandbox, started)

    def capture(self, environment: Environment) -> None:
        ready = self._ready.pop(id(environment), None)
        if ready is None:
            return
        _steady()
        _, base, bridge = ready
        if bridge is not None:
            bridge.close()
            if bridge.fault is not None:
                self.failure = self.failure or Failure.of(bridge.fault, boundary="mailbox")
        try:
            taken = capture(environment, self._spec.store, base)
        except BaseException as error:
            self.failure = Failure.of(error, boundary="environment")
            raise
        # An agent that opened several environments is taken at its last one in which it did something.
        self._folder.keep_capture(taken)

    def close(self) -> None:
        """Capture and end what the agent left open."""
        for environment, _, _ in list(self._ready.values()):
            try:
                environment.cleanup()
            except Exception as error:
                self.failure = self.failure or Failure.of(error, boundary="environment")


def _run(spec: MemberSpec, folder: MemberFolder, budget: Budget) -> AgentOutcome:
    try:
        result = run_agent(get_runner(spec.member.agent, spec.config), _arguments(spec))
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
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
        error=Failure(boundary="agent", kind=REPORTED, message=result.error) if result.error else None,
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


def _steady() -> None:
    """Undo what an agent may have done to its process that makes programs fail or their results unreadable."""
    with contextlib.suppress(ValueError):  # in a thread of the agent's: only the main one may
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, every program seems to succeed
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        os.chdir("/")


def _end_on_request(number: int, frame: FrameType | None) -> None:
    """Interrupt the agent, once: the runner asks for it before it kills."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _prefer_for_memory_shortage() -> None:
    """Have the kernel end an agent, not the runner or another run, when the host runs out of memory."""
    if sys.platform == "linux":
        Path(f"/proc/{os.getpid()}/oom_score_adj").write_text("500")
