"""What `doctor` asks a cluster: whether it answers, what we may do in the namespace, and whether it would admit a pod. Nothing is made."""

from collections.abc import Iterator

from cooperbench.environments.contract import EnvironmentOptions, SandboxHandle, SandboxLabels
from cooperbench.environments.kubernetes.client import Cluster
from cooperbench.environments.kubernetes.network import network_of
from cooperbench.environments.kubernetes.pod import manifest
from cooperbench.environments.kubernetes.refusals import RIGHTS
from cooperbench.environments.kubernetes.settings import KubernetesSettings
from cooperbench.environments.readiness import Check, attempt

NEEDED = (
    ("", "pods", "", ("create", "get", "list", "delete")),
    ("", "pods", "exec", ("create", "get")),
    ("networking.k8s.io", "networkpolicies", "", ("create", "get")),
)
"""Groups, resources, subresources and verbs: the role of docs/scale.md. Commands in pods need `create` since Kubernetes 1.35."""


def of_cluster(cluster: Cluster, settings: KubernetesSettings) -> Iterator[Check]:
    """Yield the checks of a cluster that is set up."""
    namespace = cluster.namespace(settings)
    rights = attempt("rights", lambda: _missing_rights(cluster, namespace))
    answers = rights.ok
    missing = rights.detail
    where = f"{cluster.address}, namespace {namespace}"
    yield Check(name="cluster", ok=answers, detail=where if answers else missing, fix=rights.fix)
    if not answers:
        return
    yield Check(
        name="rights",
        ok=not missing,
        detail=f"you may not {missing} in the namespace {namespace}" if missing else "sufficient",
        fix=RIGHTS.replace("NAMESPACE", namespace) if missing else None,
    )
    if not missing:
        yield attempt("pods", lambda: _admitted(cluster, settings, namespace))


def _missing_rights(cluster: Cluster, namespace: str) -> str:
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.authorization_v1 import SelfSubjectAccessReview

    missing = []
    for group, resource, subresource, verbs in NEEDED:
        for verb in verbs:
            wanted = {"group": group, "resource": resource, "subresource": subresource, "verb": verb}
            review = SelfSubjectAccessReview.from_dict(
                {"metadata": {}, "spec": {"resourceAttributes": {**wanted, "namespace": namespace}}}
            )
            assert isinstance(review.metadata, ObjectMeta)
            if not cluster.create(review).status.allowed:
                missing.append(f"{verb} {resource}{'/' if subresource else ''}{subresource}")
    return ", ".join(missing)


def _admitted(cluster: Cluster, settings: KubernetesSettings, namespace: str) -> str:
    """Ask for a pod without making it: the namespace, its quota, its pod security and the service account answer."""
    options = EnvironmentOptions(network="none")
    details = {"context": settings.context, "namespace": namespace}
    handle = SandboxHandle(
        backend="kubernetes",
        identifier="cooperbench-doctor",
        image="cooperbench-doctor",
        options=options,
        labels=SandboxLabels(run="doctor"),
        details=details,
    )
    cluster.create(manifest(handle, settings, network_of(options, cluster.address)), dry_run=True)
    return f"admitted in the namespace {namespace}"
