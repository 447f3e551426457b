"""What a pool of virtual machines is made of, and where each value comes from."""

import os
from collections.abc import Mapping

from pydantic import Field, ValidationError

from cooperbench.environments.configuration import read_config
from cooperbench.errors import UnknownNameError, UsageError
from cooperbench.records import Record

PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
IMAGE = "projects/cos-cloud/global/images/family/cos-stable"


class GCPSettings(Record):
    """Values given in code come first, then the environment (the project only), then the table `[gcp]` of the config file."""

    project_id: str = Field(min_length=1)
    zone: str = Field(
        "us-central1-a,us-central1-b,us-central1-c,us-central1-f",
        description="One zone, or several with commas: the next is tried when one has no capacity.",
    )
    machine_type: str = "n2-standard-8"
    slots: int = Field(4, ge=1, le=64, description="Environments that share one machine.")
    disk_gb: int = Field(100, ge=10)
    spot: bool = Field(False, description="Cheaper machines that may be taken away at any time.")
    network: str = "global/networks/default"
    private: bool = Field(False, description="Without a public address; reached through the cloud's tunnel.")
    proxy_command: str | None = Field(
        None, description="How to reach a machine: %h is its address or name, %p the port."
    )
    machine_lifetime: int = Field(
        24 * 3600, ge=120, description="Seconds after which the provider deletes a machine, whatever happens here."
    )
    idle_seconds: int = Field(
        120, ge=0, description="How long a machine without environments is kept; with 0 the last one out deletes it."
    )

    @property
    def zones(self) -> list[str]:
        """The zones in the order in which they are tried."""
        return [zone.strip() for zone in self.zone.split(",") if zone.strip()]


NAMES = frozenset(GCPSettings.model_fields)


def resolve(given: Mapping[str, str]) -> GCPSettings:
    """Complete what was given. Raises `UsageError` naming what is missing or wrong."""
    stored = read_config("gcp")
    for name in stored:
        if name not in NAMES:
            raise UnknownNameError("setting of gcp in the config file", name, sorted(NAMES))
    values = {**stored, **_from_environment(), **given}
    if not values.get("project_id"):
        raise UsageError(
            "no Google Cloud project is named", subject="project_id", hint="cooperbench config gcp --project-id PROJECT"
        )
    try:
        return GCPSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UsageError(f"gcp: {name}={values.get(name)!r}: {first['msg']}", subject=name) from error


def _from_environment() -> dict[str, str]:
    for variable in PROJECT_VARIABLES:
        if os.environ.get(variable):
            return {"project_id": os.environ[variable]}
    return {}
