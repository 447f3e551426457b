"""The pod of a sandbox: what is asked of the cluster, and how the pod fares."""

import math
from typing import TYPE_CHECKING, Any

from cooperbench.environments.contract import SandboxHandle
from cooperbench.environments.kubernetes.names import NETWORK, annotations_of, labels_of
from cooperbench.environments.kubernetes.network import PodNetwork
from cooperbench.environments.kubernetes.settings import KubernetesSettings, listed
from cooperbench.environments.layers import LAYERS
from cooperbench.environments.scripts import KEEP_ALIVE
from cooperbench.errors import CapacityError, ImageError, SandboxError, SandboxLostError

if TYPE_CHECKING:
    from lightkube.models.core_v1 import ContainerState, PodStatus
    from lightkube.resources.core_v1 import Pod

CONTAINER = "main"
FILLING = "layers"
"""The container that takes the sandbox's layers, and ends before the sandbox starts."""
COMPLETE = f"{LAYERS}/.cooperbench-complete"
WAIT_FOR_LAYERS = f"until [ -e {COMPLETE} ]; do sleep 0.2 || exit 1; done"
IMAGE_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
FINAL_PULLS = (
    "not found", "manifest unknown", "does not exist", "denied", "unauthorized", "forbidden", "no match for platform",
    "invalid reference",
)  # fmt: skip
"""Words of a registry's answers that another try does not change; kubelet itself tries again for ever."""
SHELL_REASONS = frozenset({"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun"})


def manifest(handle: SandboxHandle, settings: KubernetesSettings, network: PodNetwork) -> "Pod":
    """Return the pod of a sandbox."""
    from lightkube.resources.core_v1 import Pod

    options = handle.options
    seconds = math.ceil(options.lifetime)
    system, _, processor = (options.platform or "").partition("/")
    nodes = settings.nodes | ({"kubernetes.io/os": system, "kubernetes.io/arch": processor} if system else {})
    body: dict[str, Any] = {
        "metadata": {
            "name": handle.identifier,
            "namespace": handle.details["namespace"],
            "labels": labels_of(handle.labels) | {NETWORK: network.name},
            "annotations": annotations_of(handle.labels),
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "hostAliases": [{"ip": address, "hostnames": list(names)} for address, names in network.hosts.items()],
            "imagePullSecrets": [{"name": name} for name in listed(settings.registry_login)],
            "nodeSelector": nodes,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            **_containers(handle, settings.full_name(handle.image), seconds),
        },
    }
    if settings.service_account:
        body["spec"]["serviceAccountName"] = settings.service_account
    if settings.runtime_class:
        body["spec"]["runtimeClassName"] = settings.runtime_class
    made: Pod = Pod.from_dict(body)
    return made


def _containers(handle: SandboxHandle, image: str, seconds: int) -> dict[str, Any]:
    """Return the sandbox's container, and with layers one of the same image before it, which alone may write them."""
    common = {
        "image": image,
        "securityContext": {"capabilities": {"drop": ["NET_RAW"]}},
        "resources": _resources(handle),
    }
    main: dict[str, Any] = {
        "name": CONTAINER,
        "command": ["sh", "-c", KEEP_ALIVE, "sh", str(seconds)],
        "stdin": True,  # what `read` waits for
        **common,
    }
    if not handle.options.layers:
        return {"containers": [main]}
    filling = {"name": FILLING, "command": ["sh", "-c", WAIT_FOR_LAYERS], **common}
    mount = {"name": "layers", "mountPath": LAYERS}
    return {
        "volumes": [{"name": "layers", "emptyDir": {}}],
        "initContainers": [{**filling, "volumeMounts": [mount]}],
        "containers": [{**main, "volumeMounts": [{**mount, "readOnly": True}]}],
    }


def _resources(handle: SandboxHandle) -> dict[str, dict[str, str]]:
    """Return limits that are requested as well, so that the scheduler gives every pod what it may use."""
    wanted = {}
    if handle.options.cpus is not None:
        wanted["cpu"] = f"{math.ceil(handle.options.cpus * 1000)}m"
    if handle.options.memory_mb is not None:
        wanted["memory"] = f"{handle.options.memory_mb}Mi"
    return {"limits": wanted, "requests": wanted} if wanted else {}


def is_alive(pod: "Pod | None") -> bool:
    """Return whether commands can run in a pod."""
    return pod is not None and pod.metadata.deletionTimestamp is None and _status(pod).phase == "Running"


def has_ended(pod: "Pod") -> bool:
    """Return whether a pod runs no more: at its lifetime, evicted, or killed. Its record stays until somebody deletes it."""
    return _status(pod).phase in ("Succeeded", "Failed")


def fate(pod: "Pod | None", name: str) -> str:
    """Say in a clause what became of a pod that is not alive."""
    if pod is None:
        return f"the pod {name} was deleted"
    status, state = _status(pod), _state(pod)
    terminated = state.terminated if state is not None else None
    reason = status.reason or (terminated.reason if terminated else None) or status.phase or "unknown"
    said = status.message or (terminated.message if terminated else None) or ""
    return f"the pod {name} has ended ({reason}{': ' if said else ''}{' '.join(said.split())})"


def digest(pod: "Pod") -> str | None:
    """Return the digest of the image that a running pod was started from."""
    for status in _status(pod).containerStatuses or ():
        _, found, digest = (status.imageID or "").rpartition("@")
        if found:
            return digest
    return None


def has_started(pod: "Pod | None", handle: SandboxHandle) -> bool:
    """Return whether a pod runs. Raises the error of one that never will."""
    name, image = handle.identifier, handle.image
    if pod is None:
        raise SandboxLostError(f"the pod {name} was deleted while it started", subject=name)
    if is_alive(pod):
        return True
    state = _state(pod)
    waiting = state.waiting if state is not None else None
    reason, said = (waiting.reason or "", waiting.message or "") if waiting is not None else ("", "")
    if reason in IMAGE_REASONS or (reason in PULL_REASONS and any(word in said.lower() for word in FINAL_PULLS)):
        raise not_pulled(image, reason, said)
    if reason in SHELL_REASONS or (state is not None and state.terminated is not None and not _evicted(pod)):
        ended = state.terminated if state is not None else None
        said = said or (ended.message or f"{ended.reason}, exit code {ended.exitCode}" if ended is not None else reason)
        raise ImageError(f"the image {image!r} does not run a shell: {' '.join(said.split())}", subject=image)
    if reason == "CreateContainerConfigError":
        raise SandboxError(f"the cluster cannot start the pod: {said}", subject=image)
    if has_ended(pod):
        raise SandboxLostError(fate(pod, name), subject=name)
    return False


def takes_layers(pod: "Pod | None", handle: SandboxHandle) -> bool:
    """Return whether a pod's layers can be unpacked now. Raises the error of one that never runs."""
    if has_started(pod, handle):
        return True
    state = _state(pod) if pod is not None else None
    return state is not None and state.running is not None


def not_pulled(image: str, reason: str, said: str) -> ImageError:
    """Return the error of an image that the cluster does not get."""
    return ImageError(
        f"the cluster cannot pull {image!r}: {' '.join(said.split()) or reason}",
        subject=image,
        hint="check the image's name; for a private registry: cooperbench config kubernetes --registry-login SECRET",
    )


def never_started(pod: "Pod", handle: SandboxHandle, seconds: float) -> SandboxError:
    """Return the error of a pod that still waits after so many seconds."""
    state = _state(pod)
    waiting = state.waiting if state is not None else None
    if waiting is not None and waiting.reason in PULL_REASONS:
        return not_pulled(handle.image, waiting.reason, waiting.message or "")
    scheduled = (each for each in _status(pod).conditions or () if each.type == "PodScheduled")
    unplaced = next((each.message or each.reason or "" for each in scheduled if each.status == "False"), "")
    said = unplaced or (waiting.reason if waiting is not None else "") or "it is pending"
    return CapacityError(f"the pod did not start within {seconds:g} s: {said}", subject=handle.identifier)


def _evicted(pod: "Pod") -> bool:
    return bool(_status(pod).reason)


def _status(pod: "Pod") -> "PodStatus":
    from lightkube.models.core_v1 import PodStatus

    return pod.status or PodStatus()


def _state(pod: "Pod") -> "ContainerState | None":
    """Return the state of the container whose turn it is."""
    for status in _status(pod).initContainerStatuses or ():
        if status.state is None or status.state.terminated is None or status.state.terminated.exitCode != 0:
            return status.state
    return next((status.state for status in _status(pod).containerStatuses or ()), None)
