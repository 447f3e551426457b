"""A stand-in for Modal's control plane and workers: real gRPC on loopback for the unmodified SDK, real processes behind it."""

from tests.standins.modal.machines import Containers, Processes
from tests.standins.modal.server import ModalStandin

__all__ = ["Containers", "ModalStandin", "Processes"]
