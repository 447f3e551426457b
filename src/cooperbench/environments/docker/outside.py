"""A second container of the same image that sees the files of the first, where nothing in the first can reach it.

The engine mounts the first one's file system, read-only. An engine that cannot (it does not say where the file system is, is a virtual
machine that shares no such folder, or keeps the work tree in a volume) copies the work tree instead, which takes longer the larger it is.
"""

import contextlib
import posixpath
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from cooperbench.environments.contract import OUTSIDE, SandboxHandle
from cooperbench.environments.docker.engine import DockerEngine, translated
from cooperbench.environments.docker.removal import remove_late
from cooperbench.errors import SandboxError

LIFETIME_SECONDS = "900"


@contextlib.contextmanager
def beside(engine: DockerEngine, handle: SandboxHandle, labels: dict[str, str]) -> Iterator[str]:
    """Yield the name of the second container. Raises `SandboxLostError` when the first is gone."""
    name = f"{handle.identifier}-{uuid.uuid4().hex[:6]}"
    with translated(handle.identifier):
        first = engine.client.api.inspect_container(handle.identifier)
        try:
            if not _start(engine, first, name, handle, labels, _mounted(first, handle.options.cwd)):
                _start(engine, first, name, handle, labels, None)
                _copy(engine, handle, name)
            yield name
        except (KeyboardInterrupt, SystemExit):
            remove_late(engine, name)
            raise
        finally:
            # Takes 0.1 s, in which the first one can end as well. Not a daemon: the process waits for it.
            threading.Thread(target=_remove, args=(engine, name), name="cooperbench-remove").start()


def _mounted(first: dict[str, Any], cwd: str) -> str | None:
    """Return the folder at which the engine has mounted the file system, if the work tree is a part of it."""
    volumes = [mount["Destination"].rstrip("/") + "/" for mount in first.get("Mounts") or ()]
    if any(f"{cwd}/".startswith(volume) for volume in volumes):
        return None
    return ((first.get("GraphDriver") or {}).get("Data") or {}).get("MergedDir")


def _start(
    engine: DockerEngine,
    first: dict[str, Any],
    name: str,
    handle: SandboxHandle,
    labels: dict[str, str],
    mounted: str | None,
) -> bool:
    """Start the container. Return whether it sees the first one's files."""
    from docker import errors

    try:
        container = engine.client.containers.create(
            first["Image"],
            command=[LIFETIME_SECONDS],
            entrypoint=["sleep"],
            name=name,
            labels=labels,
            user="0",
            auto_remove=True,
            network_mode="none",
            network_disabled=True,  # the engine need not set up one that is empty
            platform=handle.options.platform,
            security_opt=["label=disable"],  # SELinux keeps containers from each other's files
            volumes=[] if mounted is None else [f"{mounted}:{OUTSIDE}:ro"],
        )
        container.start()
    except errors.APIError:
        if mounted is None:
            raise
        _remove(engine, name)
        return False
    return mounted is not None


def _copy(engine: DockerEngine, handle: SandboxHandle, name: str) -> None:
    """Copy the work tree. One that is gone is not copied."""
    from docker import errors

    parent = posixpath.dirname(handle.options.cwd.rstrip("/")).lstrip("/")
    try:
        stream, _ = engine.client.api.get_archive(handle.identifier, handle.options.cwd)
    except errors.NotFound:
        return
    container = engine.client.containers.get(name)
    made = container.exec_run(["mkdir", "-p", f"{OUTSIDE}/{parent}"], workdir="/")
    if made.exit_code != 0 or not container.put_archive(f"{OUTSIDE}/{parent}", stream):
        raise SandboxError("cannot copy the work tree into another container", subject=handle.identifier)


def _remove(engine: DockerEngine, name: str) -> None:
    from docker import errors

    with contextlib.suppress(errors.APIError, OSError):
        engine.client.api.remove_container(name, force=True, v=True)
