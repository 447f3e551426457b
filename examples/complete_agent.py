"""The built-in agent, assembled by hand: sandbox, model, mailbox and loop.

COOPERBENCH_EXTERNAL_AGENTS=complete_agent cooperbench run --agent complete_agent -m gpt-4o -s demo
"""

from cooperbench.agents import AgentResult
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.connectors.messaging import MessagingConnector
from cooperbench.agents.mini_swe_agent.environments.modal import ModalEnvironment
from cooperbench.agents.mini_swe_agent.models.litellm_model import LitellmModel
from cooperbench.agents.registry import register


@register("complete_agent")
class CompleteAgent:
    """The built-in agent, assembled by hand."""

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        model_name: str = "gpt-4o",
        agents: list[str] | None = None,
        comm_url: str | None = None,
        messaging_enabled: bool = True,
        config: dict | None = None,
        **kwargs,
    ) -> AgentResult:
        # Inside a run, --backend decides where this sandbox really runs.
        env = ModalEnvironment(image=image, cwd="/workspace/repo", timeout=3600)

        base_commit_result = env.execute("git rev-parse HEAD", timeout=10)
        base_commit = base_commit_result.get("output", "").strip()

        model = LitellmModel(model_name=model_name)

        # Connect to teammates, if there are any.
        comm = None
        if messaging_enabled and comm_url and agents and len(agents) > 1:
            comm = MessagingConnector(agent_id=agent_id, agents=agents, url=comm_url)

        agent = DefaultAgent(model=model, env=env, comm=comm, agent_id=agent_id)

        error_msg = None
        try:
            status, _ = agent.run(task=task)
        except Exception as e:
            status = "Error"
            error_msg = str(e)

        # The changes since the base commit, committed or not.
        patch_result = env.execute(f"git diff {base_commit}", timeout=30)
        patch = patch_result.get("output", "").strip()

        env.cleanup()

        return AgentResult(
            status=status,
            patch=patch,
            cost=model.cost,
            steps=model.n_calls,
            messages=agent.messages,
            error=error_msg,
        )
