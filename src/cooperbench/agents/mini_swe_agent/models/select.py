"""Finds the model for a name.

`scripted/<file.yaml>[#member]` plays a script, or one of the bundled stories by its name, `replay/<trajectory.json>` a recorded trajectory. With a `base_url` the model is
behind an OpenAI-compatible server, called without LiteLLM. Every other name is LiteLLM's.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.litellm_model import LitellmModel
from cooperbench.agents.mini_swe_agent.models.openai_compatible import OpenAICompatibleModel
from cooperbench.agents.mini_swe_agent.models.scripted import replay_model, scripted_model
from cooperbench.errors import UsageError

SCRIPTED = "scripted/"
REPLAY = "replay/"
OFFLINE = (SCRIPTED, REPLAY)


def make_model(model_name: str, config: dict[str, Any] | None = None, *, agent_id: str = "agent") -> ToolCallingModel:
    """Return the model `model_name`, configured by the section `model` of an agent's configuration.

    A script without `#member` plays the member `agent_id`. Raises `UsageError`.
    """
    settings = model_config(model_name, (config or {}).get("model"))
    if model_name.startswith(SCRIPTED):
        file, _, member = model_name.removeprefix(SCRIPTED).partition("#")
        return scripted_model(_script(file), member or agent_id, settings)
    if model_name.startswith(REPLAY):
        path = Path(model_name.removeprefix(REPLAY)).expanduser()
        if not path.is_file():
            raise UsageError(f"there is no trajectory {path}", subject=str(path))
        return replay_model(path, settings)
    if settings.base_url:
        return OpenAICompatibleModel(settings)
    return LitellmModel(config=settings)


def _script(name: str) -> Path:
    """The file of a script: a path, or the name of a bundled story such as `solo_passes`."""
    path = Path(name).expanduser()
    bundled = Path(str(files("cooperbench.tasks"))) / "demo" / "scripts" / f"{name}.yaml"
    return bundled if not path.exists() and bundled.is_file() else path


def model_config(model_name: str, section: object) -> ModelConfig:
    """Read the section `model` of an agent's configuration. Raises `UsageError` with the field that is wrong."""
    given = section if section is not None else {}
    if not isinstance(given, dict):
        raise UsageError("`model` in the agent's configuration must be a mapping")
    if model_name.startswith(OFFLINE):
        given = {"retry_wait": 0.01, **given}
    try:
        return ModelConfig.model_validate({"model_name": model_name, **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"`model.{place}` in the agent's configuration: {first['msg']}",
            subject=place,
            hint=f"known are {', '.join(sorted(ModelConfig.model_fields))}; others of the provider go under model_kwargs",
        ) from error
