"""The backend `gcp`: containers on a pool of Compute Engine machines, each reached over one SSH connection (extra `gcp`)."""

from typing import Any

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.gcp.backend import GCPBackend
from cooperbench.environments.supervised import SupervisedEnvironment

__all__ = ["GCPBackend", "GCPEnvironment"]


class GCPEnvironment(SupervisedEnvironment):
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
