"""Create a sandbox's container: its first process, its limits, its labels."""

import math
from collections.abc import Mapping
from typing import Any

from cooperbench.environments.contract import EnvironmentOptions, SandboxHandle
from cooperbench.environments.docker.engine import DockerEngine
from cooperbench.environments.docker.labels import labels_of
from cooperbench.environments.scripts import SERVE

PROCESSES = 4096
"""Default limit of processes and threads, so that a fork bomb stays in its own container."""


HOSTS = """[ -s /etc/hosts ] || printf '%s\\n' '127.0.0.1 localhost' '::1 ip6-localhost ip6-loopback' 2>/dev/null >/etc/hosts
"""
"""Where the engine does not set up a network, it does not write this file either. Only root can. `localhost` stays an IPv4 address, as the
engine has it: the empty network of the kernel speaks IPv6, too."""


def create(engine: DockerEngine, handle: SandboxHandle, more: Mapping[str, Any], *, root: bool) -> None:
    """Create the container, which does not run yet. `more` are further arguments of the SDK's `create_host_config`.

    `root` tells whether the image's user is root. Then a sandbox without a network has just the empty one that the kernel gives to a
    new name space: Docker 20.10 sets up its own with another process of the engine, 0.1 s of processor time.
    """
    from docker.types import LogConfig

    options, api = handle.options, engine.client.api
    alone = root and options.network == "none"
    host_config = api.create_host_config(
        auto_remove=True,  # at the end of its lifetime nothing is left
        log_config=LogConfig(type="none"),  # nobody reads it, and the engine would write all output to its disk
        **_limits(options),
        **more,
    )
    api.create_container(
        handle.image,
        command=[str(math.ceil(options.lifetime))],
        entrypoint=["sh", "-c", (HOSTS if alone else "") + SERVE, "sh"],
        network_disabled=alone,
        name=handle.identifier,
        labels=labels_of(handle),
        stdin_open=True,
        detach=True,  # or its stdin ends with the first connection to it
        stop_signal="SIGKILL",  # it ignores others, for which an engine that ends waits 10 s
        platform=options.platform,
        host_config=host_config,
    )


def _limits(options: EnvironmentOptions) -> dict[str, Any]:
    limits: dict[str, Any] = {"pids_limit": options.processes or PROCESSES}
    if options.memory_mb is not None:
        limits["mem_limit"] = limits["memswap_limit"] = f"{options.memory_mb}m"  # equal: no swap on top
    if options.cpus is not None:
        limits["nano_cpus"] = int(options.cpus * 1e9)
    return limits
