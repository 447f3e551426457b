"""What the sandboxes of a run reach: part of `config.json`."""

from typing import Literal

from pydantic import Field

from cooperbench.records.base import Record


class NetworkAccess(Record):
    """The network of a run's sandboxes, and why it is so."""

    mode: Literal["none", "allowlist", "full"]
    allowed_hosts: tuple[str, ...] = Field((), description="The only hosts that are reached, with `allowlist`.")
    reason: str = Field(description="Who chose it, or why it is the backend's default.")
    reaches_upstream: bool = Field(
        description="Whether agents can download the project with its later versions, and so the solution of their task."
    )

    @property
    def sentence(self) -> str:
        """The network in one line."""
        hosts = f" of {', '.join(self.allowed_hosts)}" if self.allowed_hosts else ""
        warning = (
            "; agents can reach the upstream solution, for example with pip download or git clone"
            if self.reaches_upstream
            else ""
        )
        return f"{self.mode}{hosts} ({self.reason}){warning}"
