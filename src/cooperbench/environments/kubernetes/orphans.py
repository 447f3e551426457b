"""Pods that runs left behind in a namespace, found by label."""

from cooperbench.environments.backend import Orphan
from cooperbench.environments.kubernetes import pod as pods
from cooperbench.environments.kubernetes.client import Cluster
from cooperbench.environments.kubernetes.names import AGENT, EPISODE, MARK, OWNER, RUN, label_value
from cooperbench.environments.kubernetes.settings import KubernetesSettings


def find(cluster: Cluster, settings: KubernetesSettings, run: str | None) -> list[Orphan]:
    """Return the pods of one run or of all. One that has ended keeps nothing of a node, but its record stays until it is deleted."""
    namespace = cluster.namespace(settings)
    wanted = {MARK: "sandbox"} | ({} if run is None else {RUN: label_value(run)})
    found = []
    for pod in cluster.pods(namespace, wanted):
        metadata = pod.metadata
        noted = (metadata.annotations if metadata else None) or {}
        if metadata is None or metadata.deletionTimestamp is not None or (run is not None and noted.get(RUN) != run):
            continue
        found.append(
            Orphan(
                backend="kubernetes",
                kind="pod",
                identifier=metadata.name or "",
                run=noted.get(RUN, ""),
                owner=noted.get(OWNER, ""),
                expired=pods.has_ended(pod),
                running=pods.is_alive(pod),
                description=f"{noted.get(EPISODE, '')} {noted.get(AGENT, '')}".strip(),
                details={"context": settings.context, "namespace": namespace},
            )
        )
    return found
