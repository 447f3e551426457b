"""Where code runs: one Environment, one transport for each backend."""

from cooperbench.environments.contract import (
    Capability,
    Environment,
    EnvironmentOptions,
    ExecuteResult,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Stream,
    Transport,
)

__all__ = [
    "Capability",
    "Environment",
    "EnvironmentOptions",
    "ExecuteResult",
    "RunReply",
    "SandboxHandle",
    "SandboxLabels",
    "Stream",
    "Transport",
]
