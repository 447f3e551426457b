"""`coop mcp`: an MCP server in a sandbox that has no network and needs no Python."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cooperbench.collaboration.board import board_service
from cooperbench.collaboration.bridge import CoopBridge
from cooperbench.collaboration.broker import Broker
from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message_commands import message_service
from cooperbench.environments import DockerEnvironment, Environment, LocalEnvironment, Process

AGENTS = ["agent1", "agent2"]


class _Client:
    """Speaks the protocol line by line, so that several calls can be open."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lines = iter(process)

    def send(self, **message: Any) -> None:
        self._process.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def call(self, number: int | str, tool: str, **arguments: Any) -> None:
        self.send(id=number, method="tools/call", params={"name": tool, "arguments": arguments})

    def read(self) -> tuple[object, Any]:
        answer = json.loads(next(self._lines))
        return answer["id"], answer.get("result") or answer["error"]

    def text(self) -> tuple[object, bool, str]:
        number, result = self.read()
        return number, result["isError"], result["content"][0]["text"]


@pytest.fixture(params=["local", pytest.param("busybox", marks=pytest.mark.docker)])
def sandbox(request: pytest.FixtureRequest, image: str) -> Iterator[Environment]:
    if request.param == "local":
        environment: Environment = LocalEnvironment(image, network="none")
    else:
        environment = DockerEnvironment("cooperbench-test/busybox", cwd="/tmp", network="none")
    with environment:
        yield environment


@contextmanager
def members(broker: Broker, name: str) -> Iterator[tuple[MessagingConnector, MessagingConnector]]:
    urls = broker.open_episode(name, AGENTS)
    with (
        MessagingConnector("agent1", AGENTS, urls["agent1"]) as one,
        MessagingConnector("agent2", AGENTS, urls["agent2"]) as two,
    ):
        yield one, two


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.ci
def test_tools_wait_side_by_side_and_nothing_is_lost(
    sandbox: Environment, broker: Broker, request: pytest.FixtureRequest
) -> None:
    with members(broker, request.node.name) as (one, two):
        bridge = CoopBridge(sandbox, [message_service(one, 60.0)])
        with sandbox.spawn("exec coop mcp", stdin=None) as process:
            client = _Client(process)
            client.call("w", "receive_messages", wait_seconds=40)
            wait_until(lambda: two.team()[0].waiting_for is not None)
            client.call(1, "send_message", to="agent2", text="--wait 'x' \n🙂")
            assert client.text() == (1, False, "delivered to agent2")
            assert [message["text"] for message in two.receive()] == ["--wait 'x' \n🙂"]
            client.send(method="notifications/cancelled", params={"requestId": "w"})
            wait_until(lambda: two.team()[0].waiting_for is None)
            two.send("agent1", "y" * 100_000)
            client.call(2, "receive_messages")
            assert "y" * 100_000 in client.text()[2]
            client.call(3, "send_message", to="agent9", text="?")
            assert client.text() == (
                3,
                True,
                "coop: not delivered: there is no teammate 'agent9'; you can write to: agent2",
            )
            client.call(4, "send_message", to="agent2", txt="?")
            assert client.text() == (4, True, "`text` is missing")
            process.write(b"not JSON\n")
            assert client.read()[1]["code"] == -32700
            client.send(id=5, method="resources/list")
            assert client.read() == (5, {"code": -32601, "message": "unknown method resources/list"})
            client.call(6, "receive_messages", wait_seconds=40)
            process.close_stdin()
            assert list(process) == []
        bridge.close()


@pytest.mark.slow
@pytest.mark.needs("mcp")
def test_the_real_client_uses_the_server(image: str, broker: Broker, request: pytest.FixtureRequest) -> None:
    import anyio
    from mcp import ClientSession
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

    async def converse(process: Process) -> list[str]:
        to_client, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](9)
        outgoing, from_client = anyio.create_memory_object_stream[SessionMessage](9)

        def read() -> None:
            for line in process:
                anyio.from_thread.run(to_client.send, SessionMessage(JSONRPCMessage.model_validate_json(line)))

        async def write() -> None:
            async for message in from_client:
                process.write(message.message.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n")
            process.kill()

        async with to_client, incoming, outgoing, from_client, anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, read)
            group.start_soon(write)
            async with ClientSession(incoming, outgoing) as session:
                hello = await session.initialize()
                tools = await session.list_tools()
                said = [hello.serverInfo.name, " ".join(tool.name for tool in tools.tools)]
                for tool, arguments in (("add_task", {"text": "docs"}), ("claim_task", {"number": 1}), ("team", {})):
                    result = await session.call_tool(tool, arguments)
                    said.append(result.content[0].text)
            outgoing.close()
        return said

    with members(broker, request.node.name) as (one, _), LocalEnvironment(image, network="none") as sandbox:
        board = board_service("agent1", broker.open_episode(request.node.name, AGENTS)["agent1"])
        bridge = CoopBridge(sandbox, [message_service(one, 60.0), board])
        with sandbox.spawn("exec coop mcp", stdin=None) as process:
            said = anyio.run(converse, process)
        bridge.close()
    assert said == [
        "coop",
        "send_message broadcast receive_messages ask team list_tasks add_task claim_task finish_task",
        "Added task 1.",
        "Task 1 is yours.",
        "you are agent1\nagent2 is not here yet",
    ]
