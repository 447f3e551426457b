"""`mini_swe_agent_v2`: the published package mini-swe-agent (extra `mini`), unchanged, in CooperBench's sandboxes.

The package keeps its prompts, loop and LiteLLM model; the sandbox and the budget are CooperBench's. It reaches teammates with the
command `coop` in the sandbox, as the task explains. Importing it prints a banner, creates a folder and reads a `.env` file; variables
switch that off, and it is imported only when it runs.
"""

import importlib
import importlib.util
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.journal import current_journal
from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.models.answers import read_usage
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.foreign import SUBMIT_COMMAND
from cooperbench.agents.mini_swe_agent.models.keys import key_checks
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.environments import Check, Environment
from cooperbench.errors import LimitReachedError, MissingExtraError, UsageError, suggestion
from cooperbench.records import Usage, utc_now

SECTIONS = ("agent", "backend", "config", "init", "model")


@register("mini_swe_agent_v2")
class PublishedMiniSweAgentRunner:
    """The published package mini-swe-agent, version 2 (extra `mini`)."""

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for an unknown section, and `MissingExtraError` when the package is not installed."""
        if unknown := sorted(set(config or {}) - set(SECTIONS)):
            raise UsageError(
                f"unknown section {unknown[0]!r} in the configuration of mini_swe_agent_v2{suggestion(unknown[0], SECTIONS, '')}",
                hint=f"known are {', '.join(SECTIONS)}",
            )
        if importlib.util.find_spec("minisweagent") is None:
            raise MissingExtraError("the agent mini_swe_agent_v2", "mini")

    def checks(self, model_name: str, config: dict[str, Any] | None) -> Iterator[Check]:
        """Yield what keeps the model from being called."""
        section = (config or {}).get("model")
        arguments = section.get("model_kwargs") if isinstance(section, dict) else None
        if not model_name.startswith(OFFLINE):
            yield from key_checks(model_name, ModelConfig(model_name=model_name, model_kwargs=arguments or {}))

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
        package = _Package()
        defaults = package.config(str(given.get("config", "mini")))
        model = _Charged(package.model(model_name, {**defaults.get("model", {}), **given.get("model", {})}, agent_id))
        # The budget enforces the run's limits; the package's own would end the work at 3 dollars.
        section = {**defaults["agent"], "cost_limit": 0, "step_limit": 0, **given.get("agent", {})}
        with AgentSession(image, agent_id=agent_id, config=config, **kwargs) as session:
            agent = package.agent(model, MiniEnvironment(session.env, package.submitted), section)
            try:
                status = str(agent.run(task).get("exit_status") or "Ended")
            except LimitReachedError:
                status = "LimitsExceeded"
            finally:
                for message in agent.messages:
                    current_journal().add(message)
            return session.result(status, steps=model.calls, usage=model.usage, messages=agent.messages)


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
        command = str(action.get("command", ""))
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


class _Package:
    """The parts of the package in use, imported late and without side effects."""

    def __init__(self) -> None:
        os.environ.setdefault("MSWEA_SILENT_STARTUP", "1")
        os.environ.setdefault("MSWEA_GLOBAL_CONFIG_DIR", tempfile.mkdtemp(prefix="cooperbench-mini-"))
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        self.submitted = _load("exceptions").Submitted

    def config(self, name: str) -> dict[str, Any]:
        try:
            found = _load("config").get_config_from_spec(name)
        except FileNotFoundError as error:
            raise UsageError(f"mini-swe-agent has no configuration {name!r}", subject=name) from error
        assert isinstance(found, dict)
        return found

    def agent(self, model: "_Charged", env: MiniEnvironment, section: dict[str, Any]) -> Any:
        return _load("agents.default").DefaultAgent(model, env, **section)

    def model(self, name: str, section: dict[str, Any], agent_id: str) -> Any:
        if name.startswith(OFFLINE):
            return make_model(name, agent_id=agent_id)
        if "seed" in section:
            arguments = {"seed": section["seed"], **(section.get("model_kwargs") or {})}
            section = {**{key: value for key, value in section.items() if key != "seed"}, "model_kwargs": arguments}
        # Otherwise the first call of a model without a known price raises an exception.
        return _load("models").get_model(name, {"cost_tracking": "ignore_errors", **section})


def _load(module: str) -> Any:
    return importlib.import_module(f"minisweagent.{module}")


class _Charged:
    """A model of the package, within the budget."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.calls = 0
        self.usage = Usage(cost=0.0)

    def query(self, messages: list[dict[str, Any]], **kwargs: Any) -> Any:
        if hasattr(self._model, "usage"):  # a model of CooperBench charges the budget itself
            message = self._model.query(messages, **kwargs)
            self.calls, self.usage = self._model.n_calls, self._model.usage
            return message
        current_budget().before_call()
        began = utc_now()
        try:
            with charged_by_caller():
                message = self._model.query(messages, **kwargs)
        except Exception as error:
            for carried in getattr(error, "messages", ()):
                self._charge(carried, began)
            raise
        self._charge(message, began)
        return message

    def _charge(self, message: dict[str, Any], began: datetime) -> None:
        extra = message.get("extra", {})
        response = extra.get("response")
        # The package reports 0 for a call without a known price.
        usage = read_usage(response.get("usage") if isinstance(response, dict) else None)
        usage = usage.model_copy(update={"cost": extra.get("cost") or None})
        self.calls += 1
        self.usage = add_usage(self.usage, usage)
        current_budget().charge(usage, began=began)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
