"""Make the gateway of a member from its model and its configuration."""

import importlib.util
from pathlib import Path
from typing import Any

from cooperbench.agents.budget import Budget, current_budget
from cooperbench.agents.mini_swe_agent.models.base import ModelConfig
from cooperbench.agents.mini_swe_agent.models.prices import load_prices
from cooperbench.agents.mini_swe_agent.models.script_file import load_script
from cooperbench.agents.mini_swe_agent.models.select import OFFLINE, REPLAY, SCRIPTED, model_config, script_path
from cooperbench.agents.pauses import SharedPauses
from cooperbench.errors import MissingExtraError, UsageError
from cooperbench.gateway.gateway import GatewayModels, ModelGateway
from cooperbench.gateway.pricing import CallPrices
from cooperbench.gateway.providers import ModelProvider, find_provider
from cooperbench.gateway.recording import SUFFIX, RecordedAnswers
from cooperbench.gateway.replies import AnswerSource
from cooperbench.gateway.scripted import ScriptedAnswers
from cooperbench.gateway.sources import ProviderSource

RECORDING = f"model_calls{SUFFIX}"
"""Name of the recording in a member's folder of logs."""
SIDE_MODEL = "side_model"
"""Key of an agent's configuration: the model for calls in which a program names another model than the run's."""
_NOT_KEPT = {"tool_format": "native", "stream": True, "prompt_cache": True}
"""Settings of a model that a program decides by itself, and the only value that is accepted."""


def check_gateway(
    model_name: str, config: dict[str, Any] | None, *, agent_id: str = "agent", dialect: str | None = None
) -> None:
    """Raise `UsageError` for settings that programs behind a gateway cannot keep, for a key or a script that is not there.

    Raises `MissingExtraError` when a program that speaks the dialect needs a translation, and LiteLLM is not installed.
    """
    settings = _settings(model_name, config)
    if model_name.startswith(SCRIPTED) and agent_id == "agent":  # outside of a run: who plays it is not known
        load_script(script_path(model_name.removeprefix(SCRIPTED).partition("#")[0]))
        return
    if _played(model_name, agent_id) is not None:
        return
    provider = find_provider(model_name, settings)
    if side := _side_model(config):
        find_provider(side, settings)
    spoken = dialect is None or dialect in provider.dialects or provider.may_speak_more
    if not (spoken and provider.dialects) and importlib.util.find_spec("litellm") is None:
        raise MissingExtraError(f"translating for the model {model_name!r}", "litellm")


def preload(model_name: str, config: dict[str, Any] | None, dialect: str) -> tuple[str, ...]:
    """Return the modules that a gateway for programs of a dialect imports, to be imported once for all members of a run.

    LiteLLM takes 4 to 8 s and 195 MB. It has the prices, unless there is a table, and translates. For that it counts tokens, with tables
    of 34 MB, and imports what its client needs at the first call: 6 MB.
    """
    settings = _settings(model_name, config)
    if model_name.startswith(OFFLINE) or importlib.util.find_spec("litellm") is None:
        return ("cooperbench.gateway",)
    provider = find_provider(model_name, settings)
    priced = settings.base_url is not None or load_prices(settings.price_table).find(model_name) is not None
    translated = dialect not in provider.dialects
    if priced and not translated:
        return ("cooperbench.gateway",)
    return (
        "cooperbench.gateway",
        "litellm",
        "openai.resources",
        *(("litellm.litellm_core_utils.default_encoding", "anyio._backends._asyncio") if translated else ()),
        *(("litellm.google_genai",) if dialect == "gemini" else ()),
    )


def open_gateway(
    model_name: str,
    config: dict[str, Any] | None = None,
    *,
    log_dir: Path | None = None,
    budget: Budget | None = None,
    agent_id: str = "agent",
) -> ModelGateway:
    """Return the gateway to a model, by its name in the run and an agent's configuration. Raises `UsageError`.

    `replay/FILE.jsonl.gz` plays a recording, and `scripted/FILE[#member]` a script. Calls are recorded in `log_dir`.
    """
    settings = _settings(model_name, config)
    budget = budget or current_budget()
    recording = log_dir / RECORDING if log_dir is not None else None
    if (played := _played(model_name, agent_id)) is not None:
        models = GatewayModels(model=model_name, priced_as=model_name)
        prices = CallPrices(settings) if model_name.startswith(SCRIPTED) else None
        return ModelGateway(played, models, settings, budget=budget, recording=recording, prices=prices)
    provider = find_provider(model_name, settings)
    side = _side_model(config)
    models = GatewayModels(
        model=provider.model,
        priced_as=model_name,
        side_model=find_provider(side, settings).model if side else None,
        side_priced_as=side,
    )
    if side is not None:
        _check_same_provider(provider, find_provider(side, settings), side)
    prices = CallPrices(settings)
    prices.prepare(model_name, *([side] if side else []))
    return ModelGateway(
        ProviderSource(provider, settings),
        models,
        settings,
        budget=budget,
        recording=recording,
        pauses=SharedPauses(budget.pauses),
        prices=prices,
    )


def _settings(model_name: str, config: dict[str, Any] | None) -> ModelConfig:
    settings = model_config(model_name, (config or {}).get("model"))
    for name, only in _NOT_KEPT.items():
        if getattr(settings, name) != only:
            raise UsageError(
                f"`model.{name}` cannot be set for an agent that asks its model by itself",
                subject=name,
                hint=f"leave out `model.{name}`, or use the agent mini_swe_agent",
            )
    return settings


def _played(model_name: str, agent_id: str) -> AnswerSource | None:
    """Return what plays a script or a recording; `None` for a model of a provider."""
    if model_name.startswith(SCRIPTED):
        file, _, member = model_name.removeprefix(SCRIPTED).partition("#")
        return ScriptedAnswers(load_script(script_path(file)).turns(member or agent_id))
    if _plays_recording(model_name):
        return RecordedAnswers(Path(model_name.removeprefix(REPLAY)).expanduser())
    return None


def _side_model(config: dict[str, Any] | None) -> str | None:
    side = (config or {}).get(SIDE_MODEL)
    if side is not None and not isinstance(side, str):
        raise UsageError(f"`{SIDE_MODEL}` in the agent's configuration must be the name of a model", subject=SIDE_MODEL)
    return side


def _check_same_provider(main: ModelProvider, side: ModelProvider, name: str) -> None:
    if (main.base_url, main.dialects) != (side.base_url, side.dialects):
        raise UsageError(
            f"the side model {name} is not at the provider of {main.model}",
            subject=name,
            hint="name a side model of the same provider",
        )


def _plays_recording(model_name: str) -> bool:
    return model_name.startswith(REPLAY) and model_name.endswith(SUFFIX)
