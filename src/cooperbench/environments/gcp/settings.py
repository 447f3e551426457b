"""The settings of a pool of virtual machines, and where each value comes from."""

import os
from typing import Annotated, ClassVar

from pydantic import Field

from cooperbench.environments.configuration import BackendSettings, Prompt

PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
IMAGE = "projects/cos-cloud/global/images/family/cos-stable"


class GCPSettings(BackendSettings):
    """The table `[gcp]`; the project may also come from the environment."""

    backend: ClassVar[str] = "gcp"
    guide: ClassVar[str] = (
        "Set up Google Cloud, which runs containers on a pool of Compute Engine machines.\n\n"
        "Log in with `gcloud auth application-default login`. Settings without a flag keep their value."
    )
    first_steps: ClassVar[str] = (
        "Machines are created in your own project. It needs the Compute Engine API:\n"
        "  gcloud services enable compute.googleapis.com --project PROJECT"
    )

    project_id: Annotated[str, Prompt("Project")] = Field(min_length=1, description="Project that owns the machines.")
    zone: Annotated[str, Prompt("Zones to try, in order")] = Field(
        "us-central1-a,us-central1-b,us-central1-c,us-central1-f",
        description="Zones to try in order, separated by commas.",
    )
    machine_type: Annotated[str, Prompt("Machine type")] = Field(
        "n2-standard-8", description="Machine type, such as n2-standard-8."
    )
    slots: Annotated[int, Prompt("Sandboxes per machine")] = Field(4, ge=1, le=64, description="Sandboxes per machine.")
    disk_gb: int = Field(100, ge=10, description="Disk size of a machine, in GB.")
    spot: bool = Field(False, description="Use cheaper machines that may be preempted.")
    network: str = Field("global/networks/default", description="Network, such as global/networks/default.")
    private: bool = Field(False, description="No public address: connect through the IAP tunnel.")
    proxy_command: str | None = Field(None, description="SSH proxy command; %h is the machine, %p the port.")
    machine_lifetime: int = Field(24 * 3600, ge=120, description="Seconds until the provider deletes a machine.")
    idle_seconds: int = Field(
        120,
        ge=0,
        description="Seconds that an unused machine is kept.",
    )

    @property
    def zones(self) -> list[str]:
        """The zones in the order in which they are tried."""
        return [zone.strip() for zone in self.zone.split(",") if zone.strip()]

    @classmethod
    def from_environment(cls) -> dict[str, str]:
        """Return the project that the variables of Google's own tools name."""
        named = (os.environ.get(variable) for variable in PROJECT_VARIABLES)
        return next(({"project_id": project} for project in named if project), {})
