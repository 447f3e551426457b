"""An agent that behaves as its task says, so that each episode of a run can have an agent of its own kind."""

import json
import re
from typing import Any

from cooperbench.agents import AgentArguments, AgentResult, get_runner, run_agent
from cooperbench.agents.registry import register


@register("behaves_as_asked")
class BehavesAsAsked:
    """Finds `behave: <agent> <arguments of its constructor as JSON>` in the task."""

    def run(self, task: str, image: str, **arguments: Any) -> AgentResult:
        asked = re.search(r"^behave: (\S+) (.*)$", task, re.MULTILINE)
        assert asked is not None
        runner = get_runner(asked[1], {"init": json.loads(asked[2])})
        return run_agent(runner, AgentArguments(task=task, image=image, **arguments))
