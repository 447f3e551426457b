"""Remove containers, also those that an engine is still creating when their creator is interrupted."""

import contextlib
import time
from collections.abc import Iterator

from cooperbench.environments.docker.engine import DockerEngine, translated
from cooperbench.errors import SandboxError

REMOVED_SECONDS = 60.0
LATE_SECONDS = 2.0
"""Seconds for which an engine may go on creating a container that nobody waits for any more."""


def remove(engine: DockerEngine, name: str) -> None:
    """Kill and remove a container. One that is gone, or about to be, is fine."""
    from docker import errors

    with translated(name), contextlib.suppress(errors.NotFound):
        try:
            engine.client.api.remove_container(name, force=True, v=True)
        except errors.APIError as error:
            if "in progress" not in str(error):
                raise
            deadline = time.monotonic() + REMOVED_SECONDS
            while time.monotonic() < deadline:
                engine.client.api.inspect_container(name)
                time.sleep(0.02)


def remove_late(engine: DockerEngine, name: str) -> None:
    """Remove a container that the engine may still be creating although nobody waits for it any more."""
    from docker import errors

    deadline = time.monotonic() + LATE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(errors.NotFound):
            engine.client.containers.get(name)
            remove(engine, name)
            return
        time.sleep(0.1)


@contextlib.contextmanager
def removed_at_the_end(engine: DockerEngine, name: str) -> Iterator[None]:
    """Remove the container that the block creates under this name, however the block ends. A failed removal is ignored."""
    try:
        try:
            yield
        finally:
            with contextlib.suppress(SandboxError):
                remove(engine, name)
    except (KeyboardInterrupt, SystemExit):
        remove_late(engine, name)
        raise
