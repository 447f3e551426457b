"""The table `[kubernetes]`: which cluster and namespace, and what its pods need there."""

from typing import Annotated, ClassVar

from pydantic import Field

from cooperbench.environments.configuration import BackendSettings, Prompt


class KubernetesSettings(BackendSettings):
    """The table `[kubernetes]`. Credentials stay in the kubeconfig file."""

    backend: ClassVar[str] = "kubernetes"
    guide: ClassVar[str] = (
        "Set up a Kubernetes cluster, on which each sandbox is a pod.\n\n"
        "Log in as for kubectl: the cluster is that of $KUBECONFIG or ~/.kube/config, or the one in which this program runs. "
        "Settings without a flag keep their value."
    )
    first_steps: ClassVar[str] = (
        "The namespace needs a role that may create pods and run commands in them; docs/scale.md has it:\n"
        "  kubectl create namespace cooperbench"
    )

    context: Annotated[str, Prompt("Context (empty: the current one)")] = Field(
        "", description="Context in the kubeconfig file; see `kubectl config get-contexts`."
    )
    namespace: Annotated[str, Prompt("Namespace (empty: the context's)")] = Field(
        "", description="Namespace of the pods."
    )
    registry: Annotated[str, Prompt("Registry of images that are built here (empty: none)")] = Field(
        "", description="Registry of images whose names have none, such as those of the demo tasks: HOST/FOLDER."
    )
    registry_login: str = Field(
        "", description="Secrets of the namespace with which images are pulled, separated by commas."
    )
    service_account: str = Field("", description="Service account of the pods; its token is not mounted.")
    runtime_class: str = Field("", description="Runtime class of the pods, such as gvisor.")
    node_selector: str = Field("", description="Labels of the nodes to use: KEY=VALUE, separated by commas.")

    def full_name(self, image: str) -> str:
        """Return the name under which the cluster pulls an image."""
        return f"{self.registry.rstrip('/')}/{image}" if self.registry and "/" not in image else image

    @property
    def nodes(self) -> dict[str, str]:
        """The labels that a node needs."""
        pairs = (word.partition("=") for word in listed(self.node_selector))
        return {key.strip(): value.strip() for key, _, value in pairs}


def listed(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
