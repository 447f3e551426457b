"""What an agent gives back, and the interface it implements. Both are the published ones, as written there."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass
class AgentResult:
    """Result from running an agent on a task."""

    status: str
    """`Submitted`, `Error`, `LimitsExceeded`, … in the agent's own words."""
    patch: str
    """Git diff of the changes; empty to let the harness take it from the work tree."""
    cost: float | None
    """US dollars; `None` when a price is unknown."""
    steps: int
    """Model calls."""
    messages: list[dict[str, Any]]
    """The agent's history, in its own format."""
    error: str | None = None
    """What went wrong, if anything did."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    sent_messages: list[dict[str, Any]] = field(default_factory=list)
    """Messages to teammates as the agent recorded them; the broker's log is what counts."""


@runtime_checkable
class AgentRunner(Protocol):
    """Protocol for agent framework adapters. A runner gets only the arguments that its signature names (or `**kwargs`)."""

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
        """Work on a task and return what came of it.

        `task` is the description with everything the agent has to know. `image` is what its environment starts from.
        `agent_id` is its own name and `agents` the names of all, its own included. `comm_url` is the mailbox
        (`redis://host:port#run:<id>`), `git_server_url` the shared repository. `config` and `agent_config` are the agent's
        configuration, as a dictionary and as the file it was read from. `log_dir` is a folder for logs of its own.
        """
        ...
