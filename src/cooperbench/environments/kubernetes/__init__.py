"""The backend `kubernetes`: each sandbox is a pod, through the unmodified client lightkube (extra `k8s`)."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cooperbench.environments.backend import CloudBackend, Orphan, Progress
from cooperbench.environments.contract import Capability, EnvironmentOptions, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.environment import Environment
from cooperbench.environments.kubernetes import checks, transport
from cooperbench.environments.kubernetes.client import connect, lightkube_sdk
from cooperbench.environments.kubernetes.orphans import find
from cooperbench.environments.kubernetes.settings import KubernetesSettings
from cooperbench.environments.kubernetes.transport import KubernetesTransport
from cooperbench.environments.readiness import Check, attempt, listed
from cooperbench.errors import ImageError, MissingExtraError, UsageError
from cooperbench.records import ImageRecipe

__all__ = ["KubernetesBackend", "KubernetesEnvironment"]

PUSH = "build it with --backend docker, push it to a registry, and name that: cooperbench config kubernetes --registry HOST/FOLDER"


class KubernetesEnvironment(Environment):
    """A pod. `timeout` is its lifetime in seconds; `options` are further fields of `EnvironmentOptions`.

    Missing settings come from `cooperbench config kubernetes`, then from the kubeconfig file.
    """

    def __init__(
        self,
        image: str,
        cwd: str = "/workspace/repo",
        timeout: float = 3600,
        namespace: str | None = None,
        context: str | None = None,
        **options: Any,
    ) -> None:
        given = {"namespace": namespace, "context": context}
        super().__init__(
            "kubernetes",
            image,
            options=EnvironmentOptions(cwd=cwd, lifetime=timeout, **options),
            settings={name: value for name, value in given.items() if value is not None},
        )


class KubernetesBackend(CloudBackend):
    """Pods in one namespace of a cluster, with the credentials of kubectl."""

    name = "kubernetes"
    settings = frozenset(KubernetesSettings.model_fields)
    configuration = KubernetesSettings

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return what a pod can be asked for. Snapshots and a limit on processes are not among it."""
        return frozenset(Capability) - {Capability.SNAPSHOT, Capability.PROCESS_LIMIT}

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one pod. Raises `MissingExtraError`, `UsageError`, `SandboxCredentialsError`."""
        lightkube_sdk()
        return KubernetesTransport.prepare(KubernetesSettings.resolve(settings), image, options, labels)

    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running pod."""
        lightkube_sdk()
        return transport.attach(handle)

    def before_forking(self) -> None:
        """Import the client once, instead of in each agent's process: 0.3 s of processor time."""
        with contextlib.suppress(MissingExtraError):
            lightkube_sdk()
            importlib.import_module("lightkube.resources.core_v1")

    def checks(self) -> Iterator[Check]:
        """Check the client, the cluster, our rights in the namespace, and that it would admit a pod."""
        installed = attempt("client", lambda: f"lightkube {lightkube_sdk() and version('lightkube')}")
        yield installed
        if installed.ok:
            settings = KubernetesSettings.resolve({})
            yield from checks.of_cluster(connect(settings), settings)

    def image_checks(self, recipes: Sequence[ImageRecipe]) -> Iterator[Check]:
        """Yield the images that are in no registry which the cluster knows."""
        absent = [recipe.name for recipe in recipes if not _in_registry(recipe)]
        if absent:
            yield Check(name="images", ok=False, detail=f"{listed(absent)} are in no registry", fix=PUSH)

    def ensure_image(self, recipe: ImageRecipe) -> str | None:
        """Refuse images that are in no registry which the cluster knows. Raises `ImageError`."""
        if not _in_registry(recipe):
            raise ImageError(
                f"the cluster cannot pull the image {recipe.name!r}, which is not in any registry",
                subject=recipe.name,
                hint=PUSH,
            )
        return None

    def build_image(
        self,
        recipe: ImageRecipe,
        *,
        repo_source: Path | None,
        base_image: str | None,
        progress: Progress | None = None,
    ) -> str | None:
        """Raise `UsageError`: a cluster pulls images, it does not build them."""
        raise UsageError("a cluster pulls its images, and does not build them", subject=recipe.name, hint=PUSH)

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return pods with our label in the namespace, ended ones included."""
        settings = KubernetesSettings.resolve({})
        return find(connect(settings), settings, run)

    def remove(self, orphan: Orphan) -> None:
        """Delete a pod. One that is already gone is fine."""
        settings = KubernetesSettings.resolve({"context": orphan.details["context"]})
        transport.remove(connect(settings), orphan.identifier, orphan.details["namespace"])


def _in_registry(recipe: ImageRecipe) -> bool:
    """Return whether an image is named with a registry, by its recipe or by the settings."""
    return recipe.in_registry or KubernetesSettings.resolve({}).full_name(recipe.name) != recipe.name
