"""Work with a teammate: report the work, read the answer, merge the teammate's branch.

COOPERBENCH_EXTERNAL_AGENTS=team_agent cooperbench run --agent team_agent -s demo --git
"""

from cooperbench.agents import AgentResult
from cooperbench.agents.mini_swe_agent.connectors import GitConnector
from cooperbench.agents.mini_swe_agent.connectors.messaging import MessagingConnector
from cooperbench.agents.registry import register


@register("team_agent")
class TeamAgent:
    """Writes a note, announces it, and merges the teammate's branch."""

    def run(
        self,
        task,
        image,
        *,
        agent_id="agent",
        agents=None,
        comm_url=None,
        git_server_url=None,
        git_enabled=False,
        messaging_enabled=True,
        **kwargs,
    ):
        from cooperbench.agents.mini_swe_agent.environments.docker import DockerEnvironment

        env = DockerEnvironment(image=image, cwd="/workspace/repo", timeout=3600)
        heard = []
        try:
            # Join the shared repository: `origin` becomes the team's remote.
            if git_enabled and git_server_url:
                git = GitConnector(agent_id=agent_id, agents=agents, server_url=git_server_url)
                git.setup(env)
            env.execute(f"echo 'by {agent_id}' > note-{agent_id}.txt && git add -A && git commit -qm 'Add a note'")
            if git_enabled and git_server_url:
                env.execute(f"git push -q origin {agent_id}")
            # Announce the change, and wait up to a minute for the teammate's announcement.
            if messaging_enabled and comm_url and agents and len(agents) > 1:
                comm = MessagingConnector(agent_id=agent_id, agents=agents, url=comm_url)
                for name in agents:
                    if name != agent_id:
                        comm.send(to_agent=name, message=f"I have added note-{agent_id}.txt")
                        heard += comm.wait(name, timeout=60)
                comm.close()
            if git_enabled and heard:
                env.execute(f"git fetch -q origin && git merge -q origin/{heard[0]['from']}")
        finally:
            env.cleanup()
        messages = [{"role": "user", "content": f"From {message['from']}: {message['text']}"} for message in heard]
        # The patch is empty, so the harness captures the work tree.
        return AgentResult(status="Submitted", patch="", cost=0.0, steps=1, messages=messages)
