"""`mini_swe_agent_v2`: the published package mini-swe-agent (extra `mini`), unchanged, in CooperBench's sandboxes.

The package keeps its prompts, loop, templates and parsing; the sandbox, the budget and the way to a provider are CooperBench's. It
reaches teammates with the command `coop` in the sandbox, as the task explains.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator
from typing import Any

from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.models.foreign import SUBMIT_COMMAND, refused_command
from cooperbench.agents.mini_swe_agent.models.keys import key_checks
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE, model_config
from cooperbench.agents.published_package import PublishedPackage, split_section
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.environments import Check, Environment
from cooperbench.errors import LimitReachedError, MissingExtraError, UsageError, suggestion

LIMITS_EXCEEDED = "LimitsExceeded"
SECTIONS = ("agent", "backend", "config", "init", "model")


@register("mini_swe_agent_v2")
class PublishedMiniSweAgentRunner:
    """The published package mini-swe-agent, version 2 (extra `mini`)."""

    plays_recordings = True
    """The model `replay/FILE` plays its recorded answers."""

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for an unknown section, and `MissingExtraError` when the package is not installed."""
        if unknown := sorted(set(config or {}) - set(SECTIONS)):
            raise UsageError(
                f"unknown section {unknown[0]!r} in the configuration of mini_swe_agent_v2{suggestion(unknown[0], SECTIONS, '')}",
                hint=f"known are {', '.join(SECTIONS)}",
            )
        ours, _ = split_section((config or {}).get("model"))
        make_model(model_name, {"model": ours}, agent_id=agent_id)
        if importlib.util.find_spec("minisweagent") is None:
            raise MissingExtraError("the agent mini_swe_agent_v2", "mini")

    def checks(self, model_name: str, config: dict[str, Any] | None) -> Iterator[Check]:
        """Yield what keeps the model from being called."""
        if not model_name.startswith(OFFLINE):
            ours, _ = split_section((config or {}).get("model"))
            yield from key_checks(model_name, model_config(model_name, ours))

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        model_name: str = "gpt-4o",
        config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> AgentResult:
        """Run the agent of the package. `config["config"]` names one of its configuration files, by default `mini`."""
        self.check_config(model_name, config)
        given = config or {}
        package = PublishedPackage()
        defaults = package.config(str(given.get("config", "mini")))
        section = {**defaults.get("model", {}), **(given.get("model") or {})}
        model = package.model(model_name, section, agent_id)
        # The budget enforces the run's limits; the package's own would end the work at 3 dollars.
        settings = {**defaults["agent"], "cost_limit": 0, "step_limit": 0, **(given.get("agent") or {})}
        with AgentSession(image, agent_id=agent_id, config=config, **kwargs) as session:
            agent = package.agent(model, MiniEnvironment(session.env, package.submitted), settings)
            try:
                ended = str(agent.run(task).get("exit_status") or "Ended")
            except LimitReachedError:
                ended = LIMITS_EXCEEDED
            status = LIMITS_EXCEEDED if ended in {LIMITS_EXCEEDED, "TimeExceeded"} else ended
            error = None if status in {"Submitted", LIMITS_EXCEEDED} else f"the agent gave up: {ended}"
            return session.result(status, steps=model.calls, usage=model.usage, messages=agent.messages, error=error)


class MiniEnvironment:
    """Runs the package's actions in a sandbox of CooperBench.

    `submitted` makes the exception that ends its loop. The command and its exit code end the work, not its output: the output of
    a command is not the agent's word.
    """

    def __init__(self, env: Environment, submitted: Callable[[dict[str, Any]], Exception]) -> None:
        self.env = env
        self.config = env.options
        self._submitted = submitted
        self._system: dict[str, str] | None = None

    def execute(self, action: dict[str, Any], cwd: str = "") -> dict[str, Any]:
        """Run `action["command"]`. The command to submit raises the exception of `submitted`."""
        if refused := refused_command(action.get("command")):
            return refused
        command = str(action["command"])
        result = self.env.execute(command, cwd=cwd or None)
        if result["returncode"] == 0 and re.match(rf"\s*{SUBMIT_COMMAND}\b", command):
            extra = {"exit_status": "Submitted", "submission": ""}
            raise self._submitted({"role": "exit", "content": "", "extra": extra})
        timed_out = "The command took too long and was ended." if result["timed_out"] else ""
        return {"output": result["output"], "returncode": result["returncode"], "exception_info": timed_out}

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """Return the variables for the prompts, which describe the sandbox."""
        if self._system is None:
            names = ("system", "release", "version", "machine")
            lines = self.env.execute("uname -s; uname -r; uname -v; uname -m")["output"].splitlines()
            self._system = dict(zip(names, [*lines, "", "", "", ""], strict=False))
        return {"cwd": self.env.options.cwd, **self._system, **kwargs}

    def serialize(self) -> dict[str, Any]:
        """Return what the package records about its environment."""
        kind = f"{type(self.env).__module__}.{type(self.env).__name__}"
        config = self.env.options.model_dump(mode="json")
        return {"info": {"config": {"environment": config, "environment_type": kind}}}
