"""`nop`: do nothing. Its score is the lower bound of every result, and a run with it tests the infrastructure."""

from cooperbench.agents.registry import register
from cooperbench.agents.result import AgentResult


@register("nop")
class NopRunner:
    """Does nothing and submits it."""

    def run(self, task: str, image: str) -> AgentResult:
        """Return an empty submission without opening a sandbox."""
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=0, messages=[])
