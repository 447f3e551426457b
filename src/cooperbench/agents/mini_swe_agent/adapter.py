"""`mini_swe_agent`: the adapter of the built-in loop."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from cooperbench.agents.mini_swe_agent.agents.default import UNREADABLE, DefaultAgent, read_settings
from cooperbench.agents.mini_swe_agent.models import LitellmModel, make_model
from cooperbench.agents.mini_swe_agent.models.keys import key_checks
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE, model_config
from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import AgentSession
from cooperbench.environments import Check
from cooperbench.errors import MissingExtraError, UsageError, suggestion

SECTIONS = ("agent", "backend", "init", "model")


@register("mini_swe_agent")
class MiniSweAgentRunner:
    """A small tool-calling loop for models of any provider; the default agent."""

    plays_recordings = True
    """The model `replay/FILE` plays its recorded answers."""

    def check_config(self, model_name: str, config: dict[str, Any] | None, agent_id: str = "agent") -> None:
        """Raise `UsageError` for a configuration or model that cannot work, before anything is started."""
        _, config = _sections(config)
        model = make_model(model_name, config, agent_id=agent_id)
        if isinstance(model, LitellmModel) and find_spec("litellm") is None:
            raise MissingExtraError(f"calling the model {model_name!r} (without --base-url)", "litellm")

    def checks(self, model_name: str, config: dict[str, Any] | None) -> Iterator[Check]:
        """Yield what keeps the model from being called, and what is worth knowing. Imports LiteLLM for uncommon providers."""
        settings = model_config(model_name, _sections(config)[1].get("model"))
        if model_name.startswith(OFFLINE):
            return
        if settings.base_url and load_prices(settings.price_table).find(model_name) is None:
            detail = "its price is not known, so cost limits do not apply; --price-table adds prices"
            yield Check(name=f"the model {model_name}", ok=True, detail=detail)
        yield from key_checks(model_name, settings)

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
        """Work on the task until the model submits or a limit is reached."""
        settings, config = _sections(config)
        model = make_model(model_name, config, agent_id=agent_id)
        with AgentSession(image, agent_id=agent_id, config=config, **kwargs) as session:
            agent = DefaultAgent(model=model, env=session.env, comm=session.mailbox, agent_id=agent_id, **settings)
            status, _ = agent.run(task=task)
            return session.result(
                status,
                steps=model.n_calls,
                usage=model.usage,
                messages=agent.messages,
                sent_messages=agent.sent_messages,
                error="the model made no valid tool call in too many answers" if status == UNREADABLE else None,
            )


def _sections(config: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the section `agent` and the whole configuration, validated. Either section may set the temperature."""
    given = dict(config or {})
    if unknown := sorted(set(given) - set(SECTIONS)):
        raise UsageError(
            f"unknown section {unknown[0]!r} in the configuration of mini_swe_agent{suggestion(unknown[0], SECTIONS, '')}",
            hint=f"known are {', '.join(SECTIONS)}",
        )
    agent, model = given.get("agent") or {}, given.get("model") or {}
    if not isinstance(agent, dict) or not isinstance(model, dict):
        raise UsageError("`agent` and `model` in the agent's configuration must be mappings")
    settings = {name: value for name, value in agent.items() if name != "temperature"}
    if "temperature" in agent:
        given["model"] = {"temperature": agent["temperature"], **model}
    read_settings(settings)
    return settings, given
