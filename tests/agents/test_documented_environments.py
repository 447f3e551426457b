"""The published interface, word for word, on the environments that it names: Docker for real, the clouds by their stand-ins.

No run is around it: the agent alone decides where it works, and takes its own patch.
"""

from pathlib import Path
from typing import Any

import pytest

from cooperbench.agents import AgentArguments, AgentResult, run_agent
from cooperbench.agents.mini_swe_agent.agents.default import DefaultAgent
from cooperbench.agents.mini_swe_agent.connectors import GitConnector
from cooperbench.agents.mini_swe_agent.connectors.messaging import MessagingConnector
from cooperbench.agents.mini_swe_agent.models import ScriptedModel
from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.git_server import GitServer

pytestmark = pytest.mark.docker

IMAGE = "cooperbench-test/sandbox:latest"
TURNS: list[dict[str, Any]] = [
    {"tool_calls": [{"name": "bash", "arguments": {"command": "sed -i 's/42/43/' answer.py"}}]},
    {"tool_calls": [{"name": "submit"}]},
]


def open_modal(image: str) -> Any:
    from cooperbench.agents.mini_swe_agent.environments.modal import ModalEnvironment

    return ModalEnvironment(image=image, cwd="/workspace/repo", timeout=3600)


def open_docker(image: str) -> Any:
    from cooperbench.agents.mini_swe_agent.environments.docker import DockerEnvironment

    return DockerEnvironment(image=image, cwd="/workspace/repo", timeout=3600)


def open_gcp(image: str) -> Any:
    from cooperbench.agents.mini_swe_agent.environments.gcp import GCPEnvironment
    from tests.standins.gce import PROJECT

    return GCPEnvironment(image=image, cwd="/workspace/repo", timeout=3600, project_id=PROJECT, zone="us-central1-a")


class DocumentedAgent:
    """The shape of the published examples, with every way to work together."""

    def __init__(self, opener: Any) -> None:
        self.opener = opener

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        agents: list[str] | None = None,
        comm_url: str | None = None,
        git_server_url: str | None = None,
        git_enabled: bool = False,
        messaging_enabled: bool = True,
        **kwargs: Any,
    ) -> AgentResult:
        env = self.opener(image)
        base_commit = env.execute("git rev-parse HEAD", timeout=10).get("output", "").strip()
        comm = None
        if messaging_enabled and comm_url and agents and len(agents) > 1:
            comm = MessagingConnector(agent_id=agent_id, agents=agents, url=comm_url)
            comm.send(to_agent="agent2", message="I'm working on the API layer")
            for msg in comm.receive():
                print(f"From {msg['from']}: {msg['text']}")
        if git_enabled and git_server_url:
            git = GitConnector(agent_id=agent_id, agents=agents or [], server_url=git_server_url)
            git.setup(env)
        agent = DefaultAgent(model=ScriptedModel(TURNS), env=env, comm=comm, agent_id=agent_id)
        status, _ = agent.run(task=task)
        if git_enabled:
            pushed = env.execute("git commit -qam done && git push -q origin agent1 && git ls-remote origin")
            assert "refs/heads/agent1" in pushed["output"], pushed
        patch = env.execute(f"git diff {base_commit}", timeout=30).get("output", "").strip()
        env.cleanup()
        return AgentResult(status=status, patch=patch, cost=0.0, steps=2, messages=agent.messages, error=None)


@pytest.mark.ci
@pytest.mark.parametrize("backend", ["docker", "modal", "gcp"])
def test_the_published_shape_works(
    backend: str, broker: Broker, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    if backend != "docker":
        request.getfixturevalue({"modal": "modal_standin", "gcp": "gce_standin"}[backend])
    opener = {"docker": open_docker, "modal": open_modal, "gcp": open_gcp}[backend]
    members = ["agent1", "agent2"]
    urls = broker.open_episode(request.node.name, members)
    with GitServer(tmp_path / "git") as server:
        remotes = server.create_repository("episode", members)
        arguments = AgentArguments(
            task="The answer is 43.",
            image=IMAGE,
            agent_id="agent1",
            agents=members,
            comm_url=urls["agent1"],
            git_enabled=True,
            git_server_url=remotes["agent1"],
        )
        result = run_agent(DocumentedAgent(opener), arguments)
    assert result.status == "Submitted"
    assert "+    return 43" in result.patch
    with MessagingConnector("agent2", members, urls["agent2"]) as mate:
        assert [message["text"] for message in mate.receive()] == ["I'm working on the API layer"]
