"""Find the model for a name.

- `scripted/<file.yaml>[#member]` plays a script; a bundled script is found by its name.
- `replay/<trajectory.json>` plays a recorded trajectory.
- With a `base_url`, any name is a model of that OpenAI-compatible server, called without LiteLLM.
- Any other name is LiteLLM's.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from cooperbench.agents.mini_swe_agent.models.base import ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.litellm_model import LitellmModel
from cooperbench.agents.mini_swe_agent.models.openai_compatible import OpenAICompatibleModel
from cooperbench.agents.mini_swe_agent.models.replay import replay_model
from cooperbench.agents.mini_swe_agent.models.scripted import scripted_model
from cooperbench.agents.reading import read_section
from cooperbench.errors import UnknownNameError, UsageError

SCRIPTED = "scripted/"
REPLAY = "replay/"
OFFLINE = (SCRIPTED, REPLAY)
BUNDLED_SCRIPTS = Path(str(files("cooperbench.tasks"))) / "demo" / "scripts"


def make_model(model_name: str, config: dict[str, Any] | None = None, *, agent_id: str = "agent") -> ToolCallingModel:
    """Return the model `model_name`, configured by the section `model` of an agent's configuration.

    A script without `#member` plays the member `agent_id`. Raises `UsageError`.
    """
    settings = model_config(model_name, (config or {}).get("model"))
    if model_name.startswith(SCRIPTED):
        file, _, member = model_name.removeprefix(SCRIPTED).partition("#")
        return scripted_model(script_path(file), member or agent_id, settings)
    if model_name.startswith(REPLAY):
        path = Path(model_name.removeprefix(REPLAY)).expanduser()
        if not path.is_file():
            raise UsageError(f"there is no trajectory {path}", subject=str(path))
        return replay_model(path, settings)
    if settings.base_url:
        return OpenAICompatibleModel(settings)
    return LitellmModel(config=settings)


def script_path(name: str) -> Path:
    """Return the file of a script, given by its path or by the name of a bundled one, such as `solo_passes`."""
    path = Path(name).expanduser()
    bundled = {each.stem: each for each in sorted(BUNDLED_SCRIPTS.glob("*.yaml"))}
    if not path.exists() and name in bundled:
        return bundled[name]
    if not path.exists() and path.suffix == "" and "/" not in name:
        raise UnknownNameError("script", name, bundled, hint="or name a file: scripted/FILE.yaml")
    return path


def model_config(model_name: str, section: object) -> ModelConfig:
    """Read the section `model` of an agent's configuration. Raises `UsageError` that names the wrong field."""
    given = section if section is not None else {}
    if not isinstance(given, dict):
        raise UsageError("`model` in the agent's configuration must be a mapping")
    if model_name.startswith(OFFLINE):
        given = {"retry_wait": 0.01, **given}
    hint = "; put other arguments of the provider under model_kwargs"
    return read_section("model", ModelConfig, {"model_name": model_name, **given}, hint=hint)
