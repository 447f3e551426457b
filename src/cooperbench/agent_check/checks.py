"""Check what the interface asks of an agent. Each check gives one finding; most run the agent once."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from cooperbench.agent_check.findings import CheckReport, Finding, Grade, failed, note, passed
from cooperbench.agent_check.scripts import SCRIPTS, write_script
from cooperbench.agent_check.trial import CheckedAgent, Trial, TrialResult, run_trial
from cooperbench.agents.call import check_signature
from cooperbench.agents.reading import one_line
from cooperbench.agents.registry import check_config, get_runner
from cooperbench.collaboration.broker import open_broker
from cooperbench.collaboration.conversation import read_conversation
from cooperbench.collaboration.git_server import GitServer
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.environments import ensure_image
from cooperbench.errors import CooperBenchError
from cooperbench.records import Limits
from cooperbench.records.owned_temp_dir import scratch_directory
from cooperbench.runner.workers.failures import REPORTED
from cooperbench.runner.workers.pool import WorkerPool
from cooperbench.tasks import discover_tasks

MEMBERS = ("agent1", "agent2")
ALONE = TeamAccess(agent_id=MEMBERS[0], agents=MEMBERS[:1])


def check_agent(
    name: str,
    *,
    backend: str = "local",
    model_name: str | None = None,
    config: dict[str, Any] | None = None,
    agent_config: str | None = None,
    deadline: float = 60.0,
    show: Callable[[Finding], None] = lambda finding: None,
) -> CheckReport:
    """Try an agent on a bundled task. `deadline` is in seconds, for each trial; `show` gets each finding as it comes.

    Without a model the agent is given one that plays a script, whose commands really run.
    """
    task = discover_tasks(subset="demo")[0]
    patch = task.features[min(task.features)].path / "feature.patch"
    # The gold agent is the only one that learns where the solution is.
    config = {**(config or {}), **({"gold": {"patches": [str(patch)]}} if name == "gold" else {})}
    agent = CheckedAgent(name, config, agent_config, backend, task, deadline)
    findings = []
    with scratch_directory() as folder, closing(WorkerPool(scratch=folder, backend=backend)) as pool:
        checks = _Checks(agent, model_name, pool, folder)
        for finding in checks.run():
            findings.append(finding)
            show(finding)
        return CheckReport(agent=name, backend=backend, model=checks.model("alone"), findings=tuple(findings))


class _Checks:
    """The checks of one agent."""

    def __init__(self, agent: CheckedAgent, model: str | None, pool: WorkerPool, folder: Path) -> None:
        self._agent = agent
        self._given = model
        self._pool = pool
        self._folder = folder

    def run(self) -> Iterator[Finding]:
        """Yield the findings. An agent that cannot do a task alone is not tried further."""
        for check in (self._found, self._signature):
            yield (finding := check())
            if finding.grade is Grade.FAILED:
                return
        ensure_image(self._agent.backend, self._agent.task.recipe)
        self._pool.wait_until_ready()
        alone = self._try(Trial("result", self.model("alone"), ALONE))
        yield (finding := self._result(alone))
        if finding.grade is Grade.FAILED:
            return
        yield _work(alone)
        yield _cleanup(alone)
        yield self._messaging()
        yield self._git()
        yield self._limits()
        yield self._lost_sandbox(alone)

    def model(self, script: str) -> str:
        """Return the model that was given, or one that plays a script."""
        if self._given is not None:
            return self._given
        return write_script(self._folder / f"{script}.yaml", MEMBERS[0], SCRIPTS[script])

    def _try(self, trial: Trial) -> TrialResult:
        return run_trial(trial, self._agent, self._pool, self._folder)

    def _found(self) -> Finding:
        agent, config = self._agent.name, self._agent.config
        try:
            check_config(agent, self.model("alone"), config, agent_id=MEMBERS[0])
        except CooperBenchError as error:
            return failed("found", error.message, error.hint)
        return passed("found", "it can be imported and made")

    def _signature(self) -> Finding:
        try:
            check_signature(get_runner(self._agent.name, self._agent.config))
        except CooperBenchError as error:
            return failed("signature", error.message, error.hint)
        return passed("signature", "run() takes what is offered")

    def _result(self, alone: TrialResult) -> Finding:
        if fault := self._fault("result", alone):
            return fault
        assert alone.outcome is not None
        if alone.outcome.error is not None:
            text = f"the agent reports an error: {one_line(alone.outcome.error.message)}"
            return failed("result", text, "if it calls models by itself, name one it knows: --model")
        cost = "unknown" if alone.outcome.usage.cost is None else f"{alone.outcome.usage.cost:g} dollars"
        facts = f"status {alone.outcome.status}, {alone.outcome.steps} steps, cost {cost}, {alone.messages} messages"
        return passed("result", facts, alone.seconds)

    def _messaging(self) -> Finding:
        with open_broker() as broker:
            urls = broker.open_episode("check", list(MEMBERS))
            access = TeamAccess(agent_id=MEMBERS[0], agents=MEMBERS, comm_url=urls[MEMBERS[0]])
            result = self._try(Trial("messaging", self.model("team"), access))
            sent = len(read_conversation(broker.episode_url("check"), dict.fromkeys(MEMBERS)))
        text = f"works as one of a team; it sent {sent} message{'' if sent == 1 else 's'}"
        return self._fault("messaging", result) or passed("messaging", text, result.seconds)

    def _git(self) -> Finding:
        with GitServer(self._folder / "server") as server:
            urls = server.create_repository("check", list(MEMBERS))
            access = TeamAccess(agent_id=MEMBERS[0], agents=MEMBERS, git_server_url=urls[MEMBERS[0]])
            result = self._try(Trial("git", self.model("alone"), access))
        return self._fault("git", result) or passed("git", "works with a shared git repository", result.seconds)

    def _limits(self) -> Finding:
        result = self._try(Trial("limits", self.model("alone"), ALONE, Limits(steps=1)))
        if result.outcome is None:
            return self._fault("limits", result) or failed("limits", "it did not end")
        if result.calls > 1:
            return failed("limits", f"{result.calls} model calls with a limit of 1", "don't catch LimitReachedError")
        if result.calls == 0:
            return note(
                "limits",
                "its model calls are not counted, so only the wall time limits it",
                "call models by make_model(), or report to current_budget(): before_call(), charge(usage)",
            )
        return passed("limits", "ends when its budget is used up", result.seconds)

    def _lost_sandbox(self, alone: TrialResult) -> Finding:
        if not alone.left_behind.environments:
            return passed("lost sandbox", "has none to lose")
        result = self._try(Trial("lost", self.model("slow"), ALONE, lose_sandbox=True))
        if result.outcome is None:
            return failed(
                "lost sandbox",
                f"goes on for {self._agent.deadline:g} s after its sandbox is gone",
                "let SandboxLostError through, or return an AgentResult with the error",
            )
        return passed("lost sandbox", "ends when its sandbox is gone", result.seconds)

    def _fault(self, check: str, result: TrialResult) -> Finding | None:
        """Say what is wrong with a trial that should have gone well."""
        if result.outcome is None and result.exit_code is None:
            return failed(
                check,
                f"run() did not return within {self._agent.deadline:g} s",
                "give every wait and every loop a limit; --deadline allows more time",
            )
        if result.outcome is None:
            code = result.exit_code or 0
            end = f"signal {-code}" if code < 0 else f"exit code {code}"
            last = one_line(result.output[-300:])
            text = f"the agent ended its process ({end}){f': {last}' if last else ''}"
            return failed(check, text, "return an AgentResult")
        error = result.outcome.error
        if error is None or error.kind == REPORTED:
            return None
        if error.boundary == "model" and not self._given:
            return failed(check, error.message, "if it calls models by itself, name one it knows: --model")
        return failed(check, error.message, error.hint)


def _work(alone: TrialResult) -> Finding:
    if alone.changed:
        whose = "the agent returned a patch" if alone.returned_patch else "the harness takes the patch"
        return passed("work", f"there is a change; {whose}")
    if alone.left_behind.environments:
        return note("work", "nothing was changed")
    hint = "open one of cooperbench's environments, so that the harness can capture the work"
    return note("work", "no environment was opened", hint)


def _cleanup(alone: TrialResult) -> Finding:
    left = alone.left_behind
    if left.left_open:
        return failed(
            "clean-up",
            f"{left.left_open} of {left.environments} environments were left open",
            "call env.cleanup() in a `finally:`, or use `with AgentSession(image, **kwargs) as session:`",
        )
    if left.threads:
        names = ", ".join(left.threads)
        return failed("clean-up", f"threads go on after run() has returned: {names}", "join them, or make them daemons")
    if left.children:
        return failed("clean-up", f"{left.children} processes go on after run() has returned", "end and wait for them")
    return passed("clean-up", "nothing was left behind")
