"""Our environment in mini-swe-agent's protocol."""

import re
from collections.abc import Callable
from typing import Any

from cooperbench.agents.mini_swe_agent.models.foreign import SUBMIT_COMMAND
from cooperbench.environments import Environment


class MiniEnvironment:
    """Runs that package's actions in one of our sandboxes.

    `submitted` makes the exception that ends its loop. The end is read from the command and its exit code: what a command prints
    is not the agent's word.
    """

    def __init__(self, env: Environment, submitted: Callable[[dict[str, Any]], Exception]) -> None:
        self.env = env
        self.config = env.options
        self._submitted = submitted
        self._system: dict[str, str] | None = None

    def execute(self, action: dict[str, Any], cwd: str = "") -> dict[str, Any]:
        """Run `action["command"]`. Raises what `submitted` makes when it is the command to submit."""
        command = str(action.get("command", ""))
        result = self.env.execute(command, cwd=cwd or None)
        if result["returncode"] == 0 and re.match(rf"\s*{SUBMIT_COMMAND}\b", command):
            extra = {"exit_status": "Submitted", "submission": ""}
            raise self._submitted({"role": "exit", "content": "", "extra": extra})
        timed_out = "The command took too long and was ended." if result["timed_out"] else ""
        return {"output": result["output"], "returncode": result["returncode"], "exception_info": timed_out}

    def get_template_vars(self, **kwargs: Any) -> dict[str, Any]:
        """What its prompts say about the machine, which is the sandbox."""
        if self._system is None:
            names = ("system", "release", "version", "machine")
            lines = self.env.execute("uname -s; uname -r; uname -v; uname -m")["output"].splitlines()
            self._system = dict(zip(names, [*lines, "", "", "", ""], strict=False))
        return {"cwd": self.env.options.cwd, **self._system, **kwargs}

    def serialize(self) -> dict[str, Any]:
        """What it records about its environment."""
        kind = f"{type(self.env).__module__}.{type(self.env).__name__}"
        config = self.env.options.model_dump(mode="json")
        return {"info": {"config": {"environment": config, "environment_type": kind}}}
