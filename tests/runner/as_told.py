"""An agent that behaves as its task says, so that each episode of a run can have an agent of its own kind."""

import json
import re
from typing import Any

from cooperbench.agents import AgentArguments, AgentResult, get_runner, run_agent
from cooperbench.agents.registry import register


@register("as_told")
class AsTold:
    """Finds `behave: <agent> <arguments of its constructor as JSON>` in the task."""

    def run(self, task: str, image: str, **arguments: Any) -> AgentResult:
        told = re.search(r"^behave: (\S+) (.*)$", task, re.MULTILINE)
        assert told is not None
        runner = get_runner(told[1], {"init": json.loads(told[2])})
        return run_agent(runner, AgentArguments(task=task, image=image, **arguments))
