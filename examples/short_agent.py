"""A complete agent in thirty lines: `AgentSession` does the chores, `make_model` calls any model.

COOPERBENCH_EXTERNAL_AGENTS=short_agent cooperbench run --agent short_agent -m gpt-4o -s demo
"""

from cooperbench.agents import AgentSession
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.models import make_model
from cooperbench.agents.registry import register


@register("short_agent")
class ShortAgent:
    """The built-in loop with its own prompt."""

    def run(self, task, image, *, model_name="gpt-4o", config=None, agent_id="agent", **kwargs):
        model = make_model(model_name, config, agent_id=agent_id)
        with AgentSession(image, config=config, agent_id=agent_id, **kwargs) as session:
            agent = DefaultAgent(
                model, session.env, session.mailbox, agent_id, system_prompt="Be brief. Submit when it works."
            )
            status, _ = agent.run(task=task)
            return session.result(
                status,
                steps=model.n_calls,
                usage=model.usage,
                messages=agent.messages,
                sent_messages=agent.sent_messages,
            )
