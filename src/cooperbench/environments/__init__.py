"""Sandboxes in which code runs: one `Environment`, one transport per backend."""

from cooperbench.environments.backend import Backend, CloudBackend, ImageFacts, Orphan
from cooperbench.environments.configuration import BackendSettings, Prompt
from cooperbench.environments.contract import (
    Capability,
    EnvironmentOptions,
    ExecuteResult,
    RunReply,
    SandboxHandle,
    SandboxLabels,
    Stream,
    Transport,
)
from cooperbench.environments.docker import DockerEnvironment
from cooperbench.environments.environment import Environment, attach, open_environment
from cooperbench.environments.limiter import CreationLimiter
from cooperbench.environments.local import LocalEnvironment
from cooperbench.environments.loopback import LoopbackService
from cooperbench.environments.preparing import ImagePreparation, PreparedImage
from cooperbench.environments.process import Process
from cooperbench.environments.readiness import Check, Readiness
from cooperbench.environments.registry import (
    backend_names,
    build_image,
    capabilities,
    default_backend,
    ensure_image,
    get_backend,
    image_facts,
    orphans,
    pull_image,
    readiness,
    reap,
    remove,
    unpack_images,
)

__all__ = [
    "Backend",
    "BackendSettings",
    "Capability",
    "Check",
    "CloudBackend",
    "CreationLimiter",
    "DockerEnvironment",
    "Environment",
    "EnvironmentOptions",
    "ExecuteResult",
    "ImageFacts",
    "ImagePreparation",
    "LocalEnvironment",
    "LoopbackService",
    "Orphan",
    "PreparedImage",
    "Process",
    "Prompt",
    "Readiness",
    "RunReply",
    "SandboxHandle",
    "SandboxLabels",
    "Stream",
    "Transport",
    "attach",
    "backend_names",
    "build_image",
    "capabilities",
    "default_backend",
    "ensure_image",
    "get_backend",
    "image_facts",
    "open_environment",
    "orphans",
    "pull_image",
    "readiness",
    "reap",
    "remove",
    "unpack_images",
]
