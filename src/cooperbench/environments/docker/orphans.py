"""Containers and other objects that runs left behind in an engine, found by label."""

import contextlib
import time
from typing import Any

from cooperbench.environments.backend import Orphan
from cooperbench.environments.docker import removal
from cooperbench.environments.docker.engine import DockerEngine, translated
from cooperbench.environments.docker.labels import AGENT_LABEL, EPISODE_LABEL, LABEL, OWNER_LABEL, is_expired
from cooperbench.errors import UsageError


def find(engine: DockerEngine, run: str | None) -> list[Orphan]:
    """Return containers, networks, volumes and snapshot images with our label, of one run or of all."""
    label = LABEL if run is None else f"{LABEL}={run}"
    now = time.time()
    with translated(engine.address):
        found = [
            Orphan(
                backend="docker",
                kind="container",
                identifier=_name_of(row),
                run=row["Labels"][LABEL],
                owner=row["Labels"].get(OWNER_LABEL, ""),
                expired=is_expired(row, now),
                running=row["State"] == "running",
                description=f"{row['Labels'].get(EPISODE_LABEL)} {row['Labels'].get(AGENT_LABEL)}, from {row['Image']}",
            )
            for row in engine.client.api.containers(all=True, filters={"label": [label]})
            if _exists(engine, row)
        ]
        networks = engine.client.networks.list(filters={"label": [label]})
        volumes = engine.client.volumes.list(filters={"label": [label]})
        images = engine.client.images.list(filters={"label": [label]})
    found += [_other("network", str(network.name), network.attrs.get("Labels")) for network in networks]
    found += [_other("volume", str(volume.name), volume.attrs.get("Labels")) for volume in volumes]
    found += [_other("image", str(image.tags[0] if image.tags else image.id), image.labels) for image in images]
    return found


def _exists(engine: DockerEngine, row: dict[str, Any]) -> bool:
    """Return whether a listed container is there.

    Docker 20.10, started again after a crash, removes containers and may go on listing them, without a name, until it ends.
    """
    from docker import errors

    if not row["Names"]:
        try:
            engine.client.api.inspect_container(row["Id"])
        except errors.NotFound:
            return False
    return True


def _name_of(row: dict[str, Any]) -> str:
    """Return the name of a listed container; its id where the engine is removing it, and has taken the name away."""
    return str(row["Names"][0]).lstrip("/") if row["Names"] else str(row["Id"])


def remove(engine: DockerEngine, orphan: Orphan) -> None:
    """Remove one. One that is already gone is fine."""
    from docker import errors

    name = orphan.identifier
    if orphan.kind == "container":
        removal.remove(engine, name)
        return
    with translated(name), contextlib.suppress(errors.NotFound):
        if orphan.kind == "network":
            engine.client.api.remove_network(name)
        elif orphan.kind == "volume":
            engine.client.api.remove_volume(name, force=True)
        elif orphan.kind == "image":
            engine.client.api.remove_image(name, force=True)
        else:
            raise UsageError(f"Docker does not have the kind {orphan.kind!r}", subject=name)


def _other(kind: str, name: str, labels: dict[str, str] | None) -> Orphan:
    return Orphan(backend="docker", kind=kind, identifier=name, run=(labels or {}).get(LABEL, ""))
