"""The smallest agent: open a sandbox, change something, submit it.

COOPERBENCH_EXTERNAL_AGENTS=minimal_agent cooperbench run --agent simple_agent -s demo
"""

from cooperbench.agents import AgentResult
from cooperbench.agents.registry import register


@register("simple_agent")
class SimpleAgent:
    """Creates a file."""

    def run(self, task, image, **kwargs):
        from cooperbench.agents.mini_swe_agent.environments.modal import ModalEnvironment

        # Inside a run, --backend decides where this sandbox really runs.
        env = ModalEnvironment(image=image, cwd="/workspace/repo", timeout=600)
        base = env.execute("git rev-parse HEAD").get("output").strip()

        env.execute("echo '# TODO' > solution.py")

        patch = env.execute(f"git diff {base}").get("output").strip()
        env.cleanup()

        return AgentResult(status="Submitted", patch=patch, cost=0.0, steps=1, messages=[], error=None)
