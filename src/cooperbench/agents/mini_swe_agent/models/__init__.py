"""Models: scripted, on an OpenAI-compatible server, or of any provider that LiteLLM knows."""

from cooperbench.agents.mini_swe_agent.models.base import Completion, Model, ModelConfig, ToolCallingModel
from cooperbench.agents.mini_swe_agent.models.litellm_model import LitellmModel
from cooperbench.agents.mini_swe_agent.models.openai_compatible import OpenAICompatibleModel
from cooperbench.agents.mini_swe_agent.models.script_file import Script, ScriptedTurn, load_script
from cooperbench.agents.mini_swe_agent.models.scripted import ScriptedModel
from cooperbench.agents.mini_swe_agent.models.select import make_model

__all__ = [
    "Completion",
    "LitellmModel",
    "Model",
    "ModelConfig",
    "OpenAICompatibleModel",
    "Script",
    "ScriptedModel",
    "ScriptedTurn",
    "ToolCallingModel",
    "load_script",
    "make_model",
]
