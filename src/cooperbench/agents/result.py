"""The published agent interface: `AgentRunner`, and the `AgentResult` that it returns."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass
class AgentResult:
    """Result from running an agent on a task."""

    status: str
    """The agent's own word for its ending: `Submitted`, `Error`, `LimitsExceeded`, …"""
    patch: str
    """Git diff of the changes. If it is empty, the harness captures the work tree."""
    cost: float | None
    """US dollars; `None` when a price is unknown."""
    steps: int
    """Model calls."""
    messages: list[dict[str, Any]]
    """The agent's history, in its own format."""
    error: str | None = None
    """The error message, if the agent failed."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    sent_messages: list[dict[str, Any]] = field(default_factory=list)
    """Messages to teammates as the agent recorded them; the log of the broker is authoritative."""


@runtime_checkable
class AgentRunner(Protocol):
    """Protocol for agent framework adapters. `run` is called with the arguments that its signature accepts."""

    def run(
        self,
        task: str,
        image: str,
        *,
        agent_id: str = "agent",
        model_name: str = "gpt-4o",
        agents: list[str] | None = None,
        comm_url: str | None = None,
        git_server_url: str | None = None,
        git_enabled: bool = False,
        messaging_enabled: bool = True,
        config: dict[str, Any] | None = None,
        agent_config: str | None = None,
        log_dir: str | None = None,
    ) -> AgentResult:
        """Work on a task and return the result.

        `task` is the description with everything that the agent needs to know. `image` is the image of its sandbox. `agent_id` is
        its name, and `agents` the names of all members, itself included. `comm_url` is the mailbox
        (`redis://host:port#run:<id>`), `git_server_url` the shared repository. `config` and `agent_config` are the agent's
        configuration, as a dictionary and as the file it was read from. `log_dir` is a directory for its own logs.
        """
        ...
