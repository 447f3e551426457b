"""Recognizable work, and a valid result, for the misbehaving agents."""

from typing import Any

from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import DEFAULT_BACKEND
from cooperbench.environments import Environment, open_environment

WORK_FILE = "work.txt"
WORK_TEXT = "done before it went wrong\n"


def begin(image: str, config: dict[str, Any] | None) -> Environment:
    """Open a sandbox and leave work in it."""
    env = open_environment(str((config or {}).get("backend", DEFAULT_BACKEND)), image)
    env.write_file(f"{env.options.cwd}/{WORK_FILE}", WORK_TEXT.encode())
    return env


def good_result(**changes: Any) -> AgentResult:
    """Return a valid result, with some fields replaced."""
    fields: dict[str, Any] = {"status": "Submitted", "patch": "", "cost": 0.0, "steps": 1, "messages": []}
    return AgentResult(**{**fields, **changes})
