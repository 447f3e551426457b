"""A member's mailbox as an MCP server over stdio, for agents that speak the Model Context Protocol.

    COOPERBENCH_COMM_URL=... COOPERBENCH_AGENT_ID=agent1 COOPERBENCH_AGENTS=agent1,agent2 \\
        python -m cooperbench.collaboration.mcp

It offers the operations of `coop` in a sandbox, over the same mailbox: a message that is read here does not come again there. The
address is in the environment, because it contains a password and other users can see arguments.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cooperbench.collaboration.mailbox import MessagingConnector
from cooperbench.collaboration.message import Receipt, accepted, shown_message
from cooperbench.errors import CooperBenchError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from mcp.server.fastmcp import FastMCP

_T = TypeVar("_T")

LONGEST_WAIT = 600.0
"""The longest wait of one call, in seconds."""


def make_server(mailbox: MessagingConnector) -> "FastMCP":
    """Make the server for a mailbox. Raises `MissingExtraError`."""
    try:
        from mcp.server.fastmcp import FastMCP
    except ImportError as error:
        raise MissingExtraError("the MCP server", "mcp") from error

    server = FastMCP(
        "cooperbench",
        instructions=f"You are {mailbox.agent_id}. Your teammates are {', '.join(mailbox.teammates)}; these tools reach them.",
        log_level="WARNING",
    )
    tools = _Tools(mailbox)
    for tool in (tools.send_message, tools.broadcast, tools.receive_messages, tools.ask, tools.team):
        server.add_tool(tool)
    return server


class _Tools:
    """The tools. Their docstrings are what a model reads."""

    def __init__(self, mailbox: MessagingConnector) -> None:
        self._mailbox = mailbox

    async def send_message(self, to: str, text: str) -> str:
        """Send a message to a teammate. Fails with the reason when it cannot be delivered."""
        return _outcome(await _carry_out(lambda: accepted(self._mailbox.send(to, text))))

    async def broadcast(self, text: str) -> str:
        """Send a message to all teammates."""
        return "\n".join(map(_outcome, await _carry_out(lambda: self._mailbox.broadcast(text))))

    async def receive_messages(self, wait_seconds: float = 0.0, from_teammate: str | None = None) -> str:
        """Read new messages. With wait_seconds, wait until there are some, from one teammate or from anyone."""
        wait = min(wait_seconds, LONGEST_WAIT)
        if wait > 0:
            messages = await _carry_out(lambda: self._mailbox.wait(from_teammate, timeout=wait))
        else:
            messages = await _carry_out(self._mailbox.receive)
        return "\n\n".join(map(shown_message, messages)) or "no new messages"

    async def ask(self, to: str, question: str, wait_seconds: float = 120.0) -> str:
        """Send a question to a teammate and wait for its answer."""
        wait = min(wait_seconds, LONGEST_WAIT)
        answer = await _carry_out(lambda: self._mailbox.ask(to, question, timeout=wait))
        return shown_message(answer) if answer else f"no answer within {wait:g} s; it will come with receive_messages"

    async def team(self) -> str:
        """Show who is here, what they do, and who is waiting for you."""
        members = await _carry_out(self._mailbox.team)
        return "\n".join(member.sentence(self._mailbox.agent_id) for member in members)


async def _carry_out(action: Callable[[], _T]) -> _T:
    from anyio import to_thread
    from mcp.server.fastmcp.exceptions import ToolError

    # In a thread: waiting for a message must not stop the server.
    try:
        return await to_thread.run_sync(action, abandon_on_cancel=True)
    except CooperBenchError as error:
        raise ToolError(str(error)) from error


def _outcome(receipt: Receipt) -> str:
    return f"not delivered: {receipt.refused}" if receipt.refused else f"delivered to {receipt.to}"


def main() -> int:
    """Serve until standard input ends. Exit codes: 0; 1 for a failure; 2 for a wrong setting."""
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
