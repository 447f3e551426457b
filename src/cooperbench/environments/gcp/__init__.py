"""The backend `gcp`: containers on a pool of Compute Engine machines, each reached over one SSH connection (extra `gcp`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from cooperbench.environments.backend import CloudBackend, Orphan
from cooperbench.environments.contract import Capability, EnvironmentOptions, SandboxHandle, SandboxLabels, Transport
from cooperbench.environments.environment import Environment
from cooperbench.environments.gcp import pool
from cooperbench.environments.gcp.compute import Compute, compute_sdk
from cooperbench.environments.gcp.machine import RUN_METADATA, label_of
from cooperbench.environments.gcp.settings import GCPSettings
from cooperbench.environments.gcp.transport import GCPTransport, attach
from cooperbench.environments.readiness import Check, attempt
from cooperbench.errors import CapabilityError

__all__ = ["GCPBackend", "GCPEnvironment"]


class GCPEnvironment(Environment):
    """A container on a Compute Engine machine of `project_id`.

    `timeout` is its lifetime in seconds; `zone` may name several with commas; `options` are further fields of
    `EnvironmentOptions`. Missing settings come from the environment and from `cooperbench config gcp`.
    """

    def __init__(
        self,
        image: str,
        cwd: str = "/workspace/repo",
        timeout: float = 3600,
        project_id: str | None = None,
        zone: str | None = None,
        **options: Any,
    ) -> None:
        given = {"project_id": project_id, "zone": zone}
        settings = {name: value for name, value in given.items() if value is not None}
        super().__init__(
            "gcp", image, options=EnvironmentOptions(cwd=cwd, lifetime=timeout, **options), settings=settings
        )


class GCPBackend(CloudBackend):
    """Containers on virtual machines of Compute Engine. Credentials are Application Default Credentials."""

    name = "gcp"
    settings = frozenset(GCPSettings.model_fields)
    configuration = GCPSettings

    def capabilities(self, settings: Mapping[str, str]) -> frozenset[Capability]:
        """Return all of them: the engine is Docker's."""
        return frozenset(Capability)

    def transport(
        self, image: str, options: EnvironmentOptions, labels: SandboxLabels, settings: Mapping[str, str]
    ) -> Transport:
        """Prepare one sandbox. Raises `MissingExtraError`, `UsageError`, `SandboxCredentialsError`."""
        compute_sdk()
        chosen = GCPSettings.resolve(settings)
        if options.lifetime > chosen.machine_lifetime:
            raise CapabilityError(
                f"a lifetime of {options.lifetime:g} s is longer than the machine's ({chosen.machine_lifetime} s)",
                subject="lifetime",
                hint="set machine_lifetime: cooperbench config gcp --machine-lifetime SECONDS",
            )
        return GCPTransport.prepare(chosen, image, options, labels)

    def attach(self, handle: SandboxHandle) -> Transport:
        """Connect to a running sandbox."""
        compute_sdk()
        return attach(handle)

    def checks(self) -> Iterator[Check]:
        """Check the SDK, the project and the credentials."""
        installed = attempt("SDK", _describe_sdk)
        yield installed
        project = attempt("project", _describe_project)
        yield project.model_copy(update={"required": False})  # an agent may name another one
        if installed.ok and project.ok:
            yield attempt("credentials", lambda: f"accepted; {len(self.orphans())} of our machines are there")

    def orphans(self, run: str | None = None) -> list[Orphan]:
        """Return virtual machines with our labels, used or not, except those being deleted."""
        compute_sdk()
        compute = Compute(GCPSettings.resolve({}).project_id)
        wanted = "labels.cooperbench=1" + (f" AND labels.cooperbench-run={label_of(run)}" if run is not None else "")
        found = []
        for zone, instance in compute.list(wanted):
            if instance.status == "STOPPING":
                continue
            metadata = {item.key: item.value for item in instance.metadata.items}
            orphan = Orphan(
                backend=self.name,
                kind="virtual machine",
                identifier=instance.name,
                run=metadata.get(RUN_METADATA, instance.labels.get("cooperbench-run", "")),
                running=instance.status in pool.ALIVE,
                description=f"{zone}, since {instance.creation_timestamp}",
                details={"zone": zone, "project_id": compute.project},
            )
            found.append(orphan)
        return found

    def remove(self, orphan: Orphan) -> None:
        """Delete a machine. One that is already gone is fine."""
        project = orphan.details["project_id"]
        Compute(project).delete(orphan.details["zone"], orphan.identifier)
        pool.MachineFolder(pool.machines_folder(project) / orphan.identifier).remove()


def _describe_sdk() -> str:
    compute_sdk()
    return "google-cloud-compute and asyncssh"


def _describe_project() -> str:
    settings = GCPSettings.resolve({})
    return f"{settings.project_id}, zones {', '.join(settings.zones)}"
