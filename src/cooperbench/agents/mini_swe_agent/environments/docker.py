"""The documented import path of `DockerEnvironment`."""

from cooperbench.environments.docker import DockerEnvironment

__all__ = ["DockerEnvironment"]
