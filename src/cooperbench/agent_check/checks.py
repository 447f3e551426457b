"""What an agent has to keep, as trials: each is run in a process of its own, and gives a finding with the remedy."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from cooperbench.agents._text import one_line
from cooperbench.agents.call import AgentArguments, check_signature
from cooperbench.agents.check.findings import CheckReport, Finding, Grade, failed, passed
from cooperbench.agents.check.probe import ProbeOrder, ProbeReport, probe
from cooperbench.agents.registry import check_config, get_runner
from cooperbench.collaboration.broker import open_broker
from cooperbench.collaboration.conversation import read_conversation
from cooperbench.collaboration.git_server import GitServer
from cooperbench.environments import ensure_image
from cooperbench.errors import CooperBenchError
from cooperbench.records import Limits
from cooperbench.tasks import discover_tasks

MEMBERS = ["agent1", "agent2"]
WORK = "ls && printf 'checked\\n' >> CHECKED.txt"
SCRIPTS = {
    "alone": WORK,
    "team": f"{WORK} && coop send agent2 'I have checked.'",
    "slow": f"sleep 5; {WORK}",
}
"""What the scripted model runs, by the trial's need."""


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

    Without a model the agent is given a scripted one that its environment's commands are real for.
    """
    findings: list[Finding] = []

    def note(finding: Finding) -> bool:
        findings.append(finding)
        show(finding)
        return finding.grade is not Grade.FAILED

    with tempfile.TemporaryDirectory(prefix="cooperbench-check-") as folder:
        trials = _Trials(name, Path(folder), backend, model_name, config, agent_config, deadline)
        if note(trials.found()) and note(trials.signature()) and note(trials.result()):
            for finding in trials.others():
                note(finding)
        return CheckReport(agent=name, backend=backend, model=trials.model, findings=tuple(findings))


class _Trials:
    """The trials of one agent; those after `result` need one that runs at all."""

    def __init__(
        self,
        name: str,
        folder: Path,
        backend: str,
        model_name: str | None,
        config: dict[str, Any] | None,
        agent_config: str | None,
        deadline: float,
    ) -> None:
        self._name, self._folder, self._backend, self._deadline = name, folder, backend, deadline
        self._agent_config = agent_config
        self._given = model_name
        self.model = self._model("alone")
        self._task = discover_tasks(subset="demo")[0]
        self._config = {**(config or {}), **self._told(name)} or None
        self._first = ProbeReport()

    def _told(self, name: str) -> dict[str, Any]:
        """What the harness tells an agent besides its configuration: where the reference solution is."""
        feature = self._task.features[min(self._task.features)]
        return {"gold": {"patches": [str(feature.path / "feature.patch")]}} if name == "gold" else {}

    def found(self) -> Finding:
        """The agent can be imported, made and configured."""
        try:
            check_config(self._name, self.model, self._config, agent_id=MEMBERS[0])
        except CooperBenchError as error:
            return failed("found", error.message, error.hint)
        return passed("found", "it can be imported and made")

    def signature(self) -> Finding:
        """`run` asks for nothing that is not offered."""
        try:
            check_signature(get_runner(self._name, self._config))
        except CooperBenchError as error:
            return failed("signature", error.message, error.hint)
        return passed("signature", "run() takes what is offered")

    def result(self) -> Finding:
        """It works on a task alone and returns a sound result in time."""
        ensure_image(self._backend, self._task.recipe)
        report = self._first = self._probe("result", self._arguments())
        if fault := self._fault("result", report):
            return fault
        cost = "unknown" if report.cost is None else f"{report.cost:g} dollars"
        said = f"status {report.status}, {report.steps} steps, cost {cost}, {report.messages} messages"
        if report.reported_error:
            return failed(
                "result",
                f"the agent reports an error: {one_line(report.reported_error)}",
                "if it calls models by itself, name one it knows: --model",
            )
        return passed("result", said, report)

    def others(self) -> Iterator[Finding]:
        """Everything else."""
        yield self._work()
        yield self._cleanup()
        yield self._messaging()
        yield self._git()
        yield self._limits()
        yield self._lost_sandbox()

    def _work(self) -> Finding:
        if self._first.captured:
            whose = "the agent returned a patch" if self._first.own_patch else "the harness takes the patch"
            return passed("work", f"there is a change; {whose}")
        opened = self._first.environments
        return Finding(
            check="work",
            grade=Grade.NOTE,
            message="nothing was changed" if opened else "no environment was opened",
            hint=None if opened else "open one of cooperbench's environments, so that the harness can capture the work",
        )

    def _cleanup(self) -> Finding:
        report = self._first
        if report.left_open:
            return failed(
                "clean-up",
                f"{report.left_open} of {report.environments} environments were left open",
                "call env.cleanup() in a `finally:`, or use `with AgentSession(image, **kwargs) as session:`",
            )
        if report.threads or report.stayed:
            names = ", ".join(report.threads)
            return failed(
                "clean-up", f"threads go on after run() has returned: {names}", "join them, or make them daemons"
            )
        if report.children:
            return failed(
                "clean-up", f"{report.children} processes go on after run() has returned", "end and wait for them"
            )
        return passed("clean-up", "nothing was left behind")

    def _messaging(self) -> Finding:
        with open_broker() as broker:
            urls = broker.open_episode("check", MEMBERS)
            offered = self._arguments(agents=MEMBERS, comm_url=urls[MEMBERS[0]], model_name=self._model("team"))
            report = self._probe("messaging", offered)
            sent = read_conversation(broker.episode_url("check"), dict.fromkeys(MEMBERS))
        if fault := self._fault("messaging", report):
            return fault
        return passed(
            "messaging", f"works as one of a team; it sent {len(sent)} message{'' if len(sent) == 1 else 's'}", report
        )

    def _git(self) -> Finding:
        with GitServer(self._folder / "git") as server:
            urls = server.create_repository("check", MEMBERS)
            offered = self._arguments(
                agents=MEMBERS, git_enabled=True, git_server_url=urls[MEMBERS[0]], messaging_enabled=False
            )
            report = self._probe("git", offered)
        return self._fault("git", report) or passed("git", "works with a shared git repository", report)

    def _limits(self) -> Finding:
        report = self._probe("limits", self._arguments(), Limits(steps=1))
        if not report.finished:
            return self._fault("limits", report) or failed("limits", "it did not end")
        if report.calls > 1:
            return failed("limits", f"{report.calls} model calls with a limit of 1", "don't catch LimitReachedError")
        if report.calls == 0:
            return Finding(
                check="limits",
                grade=Grade.NOTE,
                message="its model calls are not counted, so only the wall time limits it",
                hint="call models by make_model(), or report to current_budget(): before_call(), charge(usage)",
            )
        return passed("limits", "ends when its budget is used up", report)

    def _lost_sandbox(self) -> Finding:
        if not self._first.environments:
            return passed("lost sandbox", "has none to lose")
        report = self._probe("lost", self._arguments(model_name=self._model("slow")), lose_sandbox=True)
        if not report.finished:
            return failed(
                "lost sandbox",
                f"goes on for {self._deadline:g} s after its sandbox is gone",
                "let SandboxLostError through, or return an AgentResult with the error",
            )
        return passed("lost sandbox", "ends when its sandbox is gone", report)

    def _fault(self, check: str, report: ProbeReport) -> Finding | None:
        """What is wrong with a trial that should have gone well."""
        if not report.finished and report.exit_code in {None, -9}:
            return failed(
                check,
                f"run() did not return within {self._deadline:g} s",
                "give every wait and every loop a limit; --deadline allows more time",
            )
        if not report.finished:
            code = report.exit_code or 0
            end = f"signal {-code}" if code < 0 else f"exit code {code}"
            last = one_line(report.output[-300:])
            return failed(
                check, f"the agent ended its process ({end}){f': {last}' if last else ''}", "return an AgentResult"
            )
        if report.error is not None:
            hint = report.hint
            if "model" in (report.error_kind or "").lower() and not self._given:
                hint = "if it calls models by itself, name one it knows: --model"
            return failed(check, report.error, hint)
        return None

    def _model(self, script: str) -> str:
        """The model that was given, or one that plays a script."""
        if self._given is not None:
            return self._given
        path = self._folder / f"{script}.yaml"
        work = {"name": "bash", "arguments": {"command": SCRIPTS[script]}}
        usage = {"input_tokens": 100, "output_tokens": 10}
        turns = [
            {"text": "I work.", "tool_calls": [work], "usage": usage, "cost": 0.01},
            {"tool_calls": [{"name": "submit"}], "usage": usage, "cost": 0.01},
        ]
        path.write_text(yaml.safe_dump({"members": dict.fromkeys(MEMBERS, turns)}), encoding="utf-8")
        return f"scripted/{path}"

    def _arguments(self, **more: Any) -> AgentArguments:
        feature = min(self._task.features)
        offered = {
            "task": self._task.features[feature].description,
            "image": self._task.image,
            "agent_id": MEMBERS[0],
            "agents": MEMBERS[:1],
            "model_name": self.model,
            "config": self._config,
            "agent_config": self._agent_config,
            "log_dir": str(self._folder),
        }
        return AgentArguments.model_validate({**offered, **more})

    def _probe(
        self, name: str, arguments: AgentArguments, limits: Limits | None = None, *, lose_sandbox: bool = False
    ) -> ProbeReport:
        order = ProbeOrder(
            agent=self._name,
            arguments=arguments,
            config=self._config,
            backend=self._backend,
            limits=limits or Limits(),
            folder=self._folder / name,
            lose_sandbox=lose_sandbox,
        )
        return probe(order, self._deadline)
