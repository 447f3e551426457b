"""The documented import path of `ModalEnvironment`."""

from cooperbench.environments.modal import ModalEnvironment

__all__ = ["ModalEnvironment"]
