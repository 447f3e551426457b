"""`mini_swe_agent_v2`: the published package mini-swe-agent (extra `mini`), unchanged, in our environments.

It keeps its own prompts, loop and LiteLLM model. From us it gets the sandbox and the budget; teammates it reaches with the command
`coop` in the sandbox, as the task says. Importing it prints a banner, makes a folder and reads a `.env` file: it is told not to, and
imported only when it runs.
"""

import importlib
import importlib.util
import os
import tempfile
from typing import Any

from cooperbench.agents.budget import add_usage, current_budget
from cooperbench.agents.journal import current_journal
from cooperbench.agents.metering import charged_by_caller
from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.mini_swe_agent.models.openai_compatible import read_usage
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE
from cooperbench.agents.mini_swe_agent_v2.environment import MiniEnvironment
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.errors import LimitReachedError, MissingExtraError, UsageError
from cooperbench.records import Usage

SECTIONS = ("agent", "backend", "config", "init", "model")


@register("mini_swe_agent_v2")
class PublishedMiniSweAgentRunner:
    """The published package mini-swe-agent, version 2 (extra `mini`)."""

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for unknown sections, `MissingExtraError` when the package is not there."""
        if unknown := sorted(set(config or {}) - set(SECTIONS)):
            raise UsageError(
                f"unknown section {unknown[0]!r} in the configuration of mini_swe_agent_v2",
                hint=f"sections are {', '.join(SECTIONS)}",
            )
        if importlib.util.find_spec("minisweagent") is None:
            raise MissingExtraError("the agent mini_swe_agent_v2", "mini")

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
        """Run the package's own agent. `config["config"]` names one of its configuration files (`mini` by default)."""
        self.check_config(model_name, config)
        given = config or {}
        package = _Package()
        defaults = package.config(str(given.get("config", "mini")))
        model = _Charged(package.model(model_name, {**defaults.get("model", {}), **given.get("model", {})}, agent_id))
        # The run's limits are kept by the budget; the package's own would end the work at 3 dollars.
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


class _Package:
    """The parts of the package that are used, imported late and without their side effects."""

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
        # Otherwise a model without a known price is an exception in the middle of the work.
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
        if hasattr(self._model, "usage"):  # ours: it keeps the budget itself
            message = self._model.query(messages, **kwargs)
            self.calls, self.usage = self._model.n_calls, self._model.usage
            return message
        current_budget().before_call()
        try:
            with charged_by_caller():
                message = self._model.query(messages, **kwargs)
        except Exception as error:
            for carried in getattr(error, "messages", ()):
                self._charge(carried)
            raise
        self._charge(message)
        return message

    def _charge(self, message: dict[str, Any]) -> None:
        extra = message.get("extra", {})
        response = extra.get("response")
        # A call without a known price is reported as 0 by the package.
        usage = read_usage(response.get("usage") if isinstance(response, dict) else None)
        usage = usage.model_copy(update={"cost": extra.get("cost") or None})
        self.calls += 1
        self.usage = add_usage(self.usage, usage)
        current_budget().charge(usage)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
