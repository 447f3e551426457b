"""A stand-in for Compute Engine: its REST API for the unmodified SDK, with machines that are containers with a real sshd."""

from tests.standins.gce.server import PROJECT, GceStandin

__all__ = ["PROJECT", "GceStandin"]
