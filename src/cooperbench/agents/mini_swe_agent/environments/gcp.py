"""The documented import path of `GCPEnvironment`."""

from cooperbench.environments.gcp import GCPEnvironment

__all__ = ["GCPEnvironment"]
