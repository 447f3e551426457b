"""The labels of everything that we create in an engine: whose it is, and until when it may exist."""

from collections.abc import Mapping
from typing import Any

from cooperbench.environments.contract import SandboxHandle

LABEL = "cooperbench.run"
EPISODE_LABEL = "cooperbench.episode"
AGENT_LABEL = "cooperbench.agent"
OWNER_LABEL = "cooperbench.owner"
LIFETIME_LABEL = "cooperbench.lifetime"
"""Seconds from the creation. A container that starts ends by itself; this is for one that never started."""
LONGEST_START = 600.0
"""Seconds. A request to start a container is given up after 120."""
CLOCKS = 300.0
"""Seconds by which the clocks of the engine's machine and of this one may differ."""


def labels_of(handle: SandboxHandle) -> dict[str, str]:
    """Return the labels that everything of a sandbox carries."""
    labels = handle.labels
    found = {LABEL: labels.run, EPISODE_LABEL: labels.episode, AGENT_LABEL: labels.agent_id}
    owner = {OWNER_LABEL: labels.owner} if labels.owner else {}
    return found | owner | {LIFETIME_LABEL: f"{handle.options.lifetime:.0f}"}


def is_expired(row: Mapping[str, Any], now: float) -> bool:
    """Return whether a container of the engine's list may be removed by anybody: its lifetime is over, or it never started."""
    try:
        lifetime = float(row["Labels"][LIFETIME_LABEL])
    except (KeyError, ValueError):  # one of an earlier version
        return False
    if row["State"] == "created":
        lifetime = min(lifetime, LONGEST_START)
    return now > float(row["Created"]) + lifetime + CLOCKS
