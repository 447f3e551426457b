"""Programs of agents in pods: what the cluster is asked for, and what breaks while they are unpacked."""

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from cooperbench.environments.kubernetes import KubernetesEnvironment
from cooperbench.environments.layers import Layer, LayerFile, LayerRecipe, cpu_of, install_layer
from cooperbench.errors import SandboxLostError, UsageError
from cooperbench.testing.conformance.commands import until
from tests.standins.kubernetes import KubernetesStandin
from tests.standins.kubernetes.kubelet import RunningPod

pytestmark = [pytest.mark.needs("sandbox", "k8s"), pytest.mark.usefixtures("cluster")]


@pytest.fixture(scope="module")
def layer(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Layer:
    """One that takes a while: 4 MB that do not compress."""
    folder = tmp_path_factory.mktemp("layer")
    files = []
    for name, data in {"program": b"#!/bin/sh\necho started\n", "large": os.urandom(4 << 20)}.items():
        (folder / name).write_bytes(data)
        url, digest = (folder / name).as_uri(), sha256(data).hexdigest()
        files.append(LayerFile(url=url, sha256=digest, path=name, executable=name == "program"))
    return install_layer("in-pods", LayerRecipe(files=tuple(files), program="program"), cpu_of(None))


def open_pod(image: str, *layers: str) -> KubernetesEnvironment:
    return KubernetesEnvironment(image, layers=layers)


def while_unpacking(cluster: KubernetesStandin, happens: "threading.Thread") -> None:
    """Start a thread as soon as the next pod takes its layers."""

    def begin(pod: RunningPod) -> bool:
        happens.start()
        return False

    cluster.next_start(begin)


def taking(cluster: KubernetesStandin) -> RunningPod | None:
    """The pod into which a layer is being sent."""
    for pod in cluster.api.pods.values():
        if pod.folder is not None and any(Path(pod.folder.name).glob("*/*")):
            return pod
    return None


def test_only_the_container_before_the_sandbox_may_write(cluster: KubernetesStandin, image: str, layer: Layer) -> None:
    with open_pod(image, "in-pods") as environment:
        done = environment.execute(f"{layer.program_path}; stat -c %a {layer.place}/large {layer.program_path}")
        assert done["output"] == "started\n644\n755\n"
        assert environment.handle().layers["in-pods"].endswith(layer.digest)
        spec = cluster.pod(environment.handle().identifier)["spec"]
    [before], [main] = spec["initContainers"], spec["containers"]
    assert (before["image"], before["resources"]) == (main["image"], main["resources"])
    assert [mount.get("readOnly", False) for mount in (*before["volumeMounts"], *main["volumeMounts"])] == [False, True]


def test_a_connection_that_breaks_is_made_again(cluster: KubernetesStandin, image: str, layer: Layer) -> None:
    cut: list[int] = []

    def break_it() -> None:
        until(lambda: taking(cluster) is not None, 60)
        cut.append(cluster.cut_connections())

    while_unpacking(cluster, threading.Thread(target=break_it))
    with open_pod(image, "in-pods") as environment:
        assert environment.execute(f"sha256sum <{layer.place}/large")["output"].split()[0] in {
            file.sha256 for file in layer.recipe.files
        }
    assert cut[0] > 0


def test_a_pod_evicted_while_it_takes_layers_is_lost(cluster: KubernetesStandin, image: str, layer: Layer) -> None:
    def evict() -> None:
        until(lambda: taking(cluster) is not None, 60)
        pod = taking(cluster)
        assert pod is not None
        cluster.evict(pod.body["metadata"]["name"])

    while_unpacking(cluster, threading.Thread(target=evict))
    with pytest.raises(SandboxLostError, match="Evicted"):
        open_pod(image, "in-pods")


def test_one_that_is_not_installed_leaves_no_pod(cluster: KubernetesStandin, image: str) -> None:
    before = len(cluster.pods)
    with pytest.raises(UsageError, match="is not installed") as caught:
        open_pod(image, "never-installed")
    assert caught.value.hint == "cooperbench agents install never-installed"
    assert len(cluster.pods) == before
