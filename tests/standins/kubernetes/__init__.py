"""A stand-in for a cluster: an API server on loopback for the unmodified client, and local sandboxes as pods behind it."""

from tests.standins.kubernetes.server import NAMESPACE, REGISTRY, KubernetesStandin

__all__ = ["NAMESPACE", "REGISTRY", "KubernetesStandin"]
