"""The form of a misbehaving agent: it leaves recognizable work in a sandbox, and then calls a function that misbehaves."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from cooperbench.agents.registry import TESTING, register
from cooperbench.agents.result import AgentResult
from cooperbench.agents.session import DEFAULT_BACKEND
from cooperbench.environments import Environment, open_environment

WORK_FILE = "work.txt"
WORK_TEXT = "done before it went wrong\n"

Misbehaviour = Callable[..., AgentResult]
"""Takes the open sandbox, and arguments with defaults."""


class MisbehavingAgent:
    """Leaves work in a sandbox, then misbehaves."""

    def __init__(self, misbehave: Misbehaviour, arguments: dict[str, Any]) -> None:
        self._misbehave = misbehave
        self._arguments = arguments

    def run(self, task: str, image: str, *, config: dict[str, Any] | None = None) -> AgentResult:
        """Work and misbehave."""
        return self._misbehave(begin(image, config), **self._arguments)


def misbehaving(name: str) -> Callable[[Misbehaviour], Callable[..., MisbehavingAgent]]:
    """Register a function as the agent `testing/<name>`; `config["init"]` holds its arguments. Used as a decorator."""

    def add(misbehave: Misbehaviour) -> Callable[..., MisbehavingAgent]:
        @register(f"{TESTING}{name}")
        @wraps(misbehave)
        def make(**arguments: Any) -> MisbehavingAgent:
            return MisbehavingAgent(misbehave, arguments)

        return make

    return add


def begin(image: str, config: dict[str, Any] | None) -> Environment:
    """Open a sandbox and leave work in it."""
    env = open_environment(str((config or {}).get("backend", DEFAULT_BACKEND)), image)
    env.write_file(f"{env.options.cwd}/{WORK_FILE}", WORK_TEXT.encode())
    return env


def good_result(**changes: Any) -> AgentResult:
    """Return a valid result, with some fields replaced."""
    fields: dict[str, Any] = {"status": "Submitted", "patch": "", "cost": 0.0, "steps": 1, "messages": []}
    return AgentResult(**{**fields, **changes})
