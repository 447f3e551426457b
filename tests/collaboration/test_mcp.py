import os
import subprocess
import sys

import pytest

from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.mailbox import MessagingConnector

pytestmark = pytest.mark.needs("mcp")

AGENTS = ["agent1", "agent2"]


@pytest.mark.slow
def test_an_mcp_client_talks_to_a_teammate(broker: Broker) -> None:
    import anyio
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    urls = broker.open_episode("mcp", AGENTS)
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cooperbench.collaboration.mcp"],
        env={
            "COOPERBENCH_COMM_URL": urls["agent1"],
            "COOPERBENCH_AGENT_ID": "agent1",
            "COOPERBENCH_AGENTS": ",".join(AGENTS),
        },
    )

    async def converse(teammate: MessagingConnector) -> list[tuple[bool, str]]:
        said: list[tuple[bool, str]] = []
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()

            async def call(tool: str, **arguments: object) -> None:
                result = await session.call_tool(tool, arguments)
                said.append((bool(result.isError), result.content[0].text))

            tools = await session.list_tools()
            said.append((False, " ".join(sorted(tool.name for tool in tools.tools))))
            await call("send_message", to="agent2", text="hello 🙂")
            await call("send_message", to="agent9", text="hello")
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: call("ask", to="agent2", question="which name?", wait_seconds=30))
                await anyio.to_thread.run_sync(lambda: _answer(teammate))
            await call("receive_messages")
            await call("team")
        return said

    with MessagingConnector("agent2", AGENTS, urls["agent2"]) as teammate:
        said = anyio.run(converse, teammate)
    assert said == [
        (False, "ask broadcast receive_messages send_message team"),
        (False, "delivered to agent2"),
        (
            True,
            "Error executing tool send_message: not delivered: there is no teammate 'agent9'; you can write to: agent2",
        ),
        (False, "Message from agent2:\n> parse"),
        (False, "no new messages"),
        (False, "agent2 is not here yet"),
    ]


def _answer(teammate: MessagingConnector) -> None:
    texts: list[str] = []
    while "which name?" not in texts:
        texts += [message["text"] for message in teammate.wait(timeout=60)]
    assert texts == ["hello 🙂", "which name?"]
    teammate.send("agent1", "parse")


def test_a_missing_setting_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cooperbench.collaboration.mcp"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "COOPERBENCH_AGENT_ID": "agent1"},
    )
    assert done.returncode == 2
    assert done.stderr == "error: COOPERBENCH_COMM_URL and COOPERBENCH_AGENTS must be set in the environment\n"
