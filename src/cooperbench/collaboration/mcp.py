"""A member's mailbox as an MCP server over stdio, for agents that speak the Model Context Protocol.

    COOPERBENCH_COMM_URL=... COOPERBENCH_AGENT_ID=agent1 COOPERBENCH_AGENTS=agent1,agent2 \\
        python -m cooperbench.collaboration.mcp

The same operations as `coop` in a sandbox, over the same mailbox: a message that was read here does not come again there. The
address comes from the environment and not from arguments, because it contains a password and arguments can be seen by others.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import Receipt, ReceivedMessage
from cooperbench.errors import CooperBenchError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from mcp.server.fastmcp import FastMCP

_T = TypeVar("_T")

LONGEST_WAIT = 600.0
"""Seconds that one call may wait, whatever was asked for."""


def make_server(mailbox: MessagingConnector) -> "FastMCP":
    """The server for this mailbox. Raises `MissingExtraError`."""
    try:
        from anyio import to_thread
        from mcp.server.fastmcp import FastMCP
        from mcp.server.fastmcp.exceptions import ToolError
    except ImportError as error:
        raise MissingExtraError("the MCP server", "mcp") from error

    server = FastMCP(
        "cooperbench",
        instructions=f"You are {mailbox.agent_id}. Your teammates are {', '.join(mailbox.teammates)}; these tools reach them.",
        log_level="WARNING",
    )

    async def carry_out(action: Callable[[], _T]) -> _T:
        # In a thread: waiting for a message must not stop the server.
        try:
            return await to_thread.run_sync(action, abandon_on_cancel=True)
        except CooperBenchError as error:
            raise ToolError(str(error)) from error

    async def send_message(to: str, text: str) -> str:
        """Tell a teammate something. Fails when it cannot be delivered, and says why."""
        receipt = await carry_out(lambda: mailbox.send(to, text))
        return f"delivered to {receipt.to}"

    async def broadcast(text: str) -> str:
        """Tell all teammates something."""
        receipts = await carry_out(lambda: mailbox.broadcast(text))
        return "\n".join(_told(receipt) for receipt in receipts)

    async def receive_messages(wait_seconds: float = 0.0, from_teammate: str | None = None) -> str:
        """Read new messages; with wait_seconds, wait until there are some, from one teammate or from anyone."""
        wait = min(wait_seconds, LONGEST_WAIT)
        if wait > 0:
            messages = await carry_out(lambda: mailbox.wait(from_teammate, timeout=wait))
        else:
            messages = await carry_out(mailbox.receive)
        return "\n\n".join(_read(message) for message in messages) or "no new messages"

    async def ask(to: str, question: str, wait_seconds: float = 120.0) -> str:
        """Send a question to a teammate and wait for the answer to it."""
        wait = min(wait_seconds, LONGEST_WAIT)
        answer = await carry_out(lambda: mailbox.ask(to, question, timeout=wait))
        return _read(answer) if answer else f"no answer within {wait:g} s; it will come with receive_messages"

    async def team() -> str:
        """Who is here, what they do, and who is waiting for you."""
        members = await carry_out(mailbox.team)
        return "\n".join(member.sentence(mailbox.agent_id) for member in members)

    for tool in (send_message, broadcast, receive_messages, ask, team):
        server.add_tool(tool)
    return server


def _told(receipt: Receipt) -> str:
    return f"not delivered: {receipt.refused}" if receipt.refused else f"delivered to {receipt.to}"


def _read(message: ReceivedMessage) -> str:
    kind = ", who waits for your answer" if message["question"] else ""
    return f"From {message['from']}{kind}:\n{message['text']}"


def main() -> int:
    """Serve until standard input ends. Exit codes: 0, or 2 for a wrong setting."""
    try:
        names = ("COOPERBENCH_COMM_URL", "COOPERBENCH_AGENT_ID", "COOPERBENCH_AGENTS")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise UsageError(f"{' and '.join(missing)} must be set in the environment")
        url, agent_id, agents = (os.environ[name] for name in names)
        with MessagingConnector(agent_id, agents.split(","), url) as mailbox:
            make_server(mailbox).run()
    except CooperBenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
