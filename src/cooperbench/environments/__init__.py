"""Where code runs: one Environment, one transport for each backend."""

from cooperbench.environments.backend import Backend, ImageFacts, Orphan, backend_names, capabilities, get_backend
from cooperbench.environments.cleaning import orphans, remove
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
from cooperbench.environments.docker import DockerEnvironment
from cooperbench.environments.images import build_image, ensure_image, image_facts, pull_image
from cooperbench.environments.limiter import CreationLimiter
from cooperbench.environments.local import LocalEnvironment
from cooperbench.environments.readiness import Check, Readiness, readiness
from cooperbench.environments.supervised import SupervisedEnvironment, attach, open_environment

__all__ = [
    "Backend",
    "Capability",
    "Check",
    "CreationLimiter",
    "DockerEnvironment",
    "Environment",
    "EnvironmentOptions",
    "ExecuteResult",
    "ImageFacts",
    "LocalEnvironment",
    "Orphan",
    "Readiness",
    "RunReply",
    "SandboxHandle",
    "SandboxLabels",
    "Stream",
    "SupervisedEnvironment",
    "Transport",
    "attach",
    "backend_names",
    "build_image",
    "capabilities",
    "ensure_image",
    "get_backend",
    "image_facts",
    "open_environment",
    "orphans",
    "pull_image",
    "readiness",
    "remove",
]
