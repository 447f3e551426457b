"""`mini_swe_agent`: the adapter between the run and the loop."""

from importlib.util import find_spec
from typing import Any

from cooperbench.agents.mini_swe_agent.agents.default import UNREADABLE, DefaultAgent, read_settings
from cooperbench.agents.mini_swe_agent.models import LitellmModel, make_model
from cooperbench.agents.mini_swe_agent.models.litellm_model import missing_keys
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE, model_config
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.errors import MissingExtraError, UsageError

SECTIONS = ("agent", "backend", "init", "model")


@register("mini_swe_agent")
class MiniSweAgentRunner:
    """A small tool-calling loop for models of any provider; the default agent."""

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for a configuration or a model that cannot work, before anything is started."""
        _, config = _sections(config)
        model = make_model(model_name, config, agent_id=agent_id)
        if isinstance(model, LitellmModel) and find_spec("litellm") is None:
            raise MissingExtraError(f"calling the model {model_name!r} (without --base-url)", "litellm")

    def missing(self, model_name: str, config: dict[str, Any] | None) -> tuple[str, ...]:
        """What calling the model needs and is not there. Imports LiteLLM if the model is one of its."""
        settings = model_config(model_name, _sections(config)[1].get("model"))
        if model_name.startswith(OFFLINE):
            return ()
        if settings.base_url and load_prices(settings.price_table).find(model_name) is None:
            return ("a price (--price-table): its cost is unknown, so limits of cost do not hold",)
        if settings.base_url or settings.api_key_env:
            return ()
        return tuple(f"the environment variable {name}" for name in missing_keys(model_name))

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        model_name: str = "gpt-4o",
        agents: list[str] | None = None,
        comm_url: str | None = None,
        git_server_url: str | None = None,
        git_enabled: bool = False,
        messaging_enabled: bool = True,
        config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> AgentResult:
        """Work on the task until the model submits, or a limit is reached."""
        settings, config = _sections(config)
        model = make_model(model_name, config, agent_id=agent_id)
        session = AgentSession(
            image,
            agent_id=agent_id,
            agents=agents,
            comm_url=comm_url,
            messaging_enabled=messaging_enabled,
            git_server_url=git_server_url,
            git_enabled=git_enabled,
            config=config,
        )
        with session:
            agent = DefaultAgent(model=model, env=session.env, comm=session.mailbox, agent_id=agent_id, **settings)
            status, _ = agent.run(task=task)
            return session.result(
                status,
                steps=model.n_calls,
                usage=model.usage,
                messages=agent.messages,
                sent_messages=agent.sent_messages,
                error="the model kept answering without a readable tool call" if status == UNREADABLE else None,
            )


def _sections(config: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The section `agent`, and the whole configuration, checked. A temperature may stand in either section."""
    given = dict(config or {})
    if unknown := sorted(set(given) - set(SECTIONS)):
        raise UsageError(
            f"unknown section {unknown[0]!r} in the configuration of mini_swe_agent",
            hint=f"sections are {', '.join(SECTIONS)}",
        )
    agent, model = given.get("agent") or {}, given.get("model") or {}
    if not isinstance(agent, dict) or not isinstance(model, dict):
        raise UsageError("`agent` and `model` in the agent's configuration must be mappings")
    settings = {name: value for name, value in agent.items() if name != "temperature"}
    if "temperature" in agent:
        given["model"] = {"temperature": agent["temperature"], **model}
    read_settings(settings)
    return settings, given
