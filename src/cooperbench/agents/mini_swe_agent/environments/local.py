"""`LocalEnvironment`, beside the documented environments."""

from cooperbench.environments import LocalEnvironment

__all__ = ["LocalEnvironment"]
