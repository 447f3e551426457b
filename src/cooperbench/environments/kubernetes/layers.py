"""Layers of agents in a pod: unpacked once, before its sandbox starts, into a volume that the sandbox sees read-only.

Every cluster has `emptyDir` and `exec`, and every image that runs agents has `tar`. Volumes that pods share need a storage class
that many nodes may read, and image volumes a registry to push to: `docs/design/layers.md`.
"""

import time
from mmap import mmap

from cooperbench.environments.contract import RunReply
from cooperbench.environments.kubernetes.channels import PodCommands
from cooperbench.environments.kubernetes.pod import COMPLETE
from cooperbench.environments.layers import Layer, cpu_of, installed
from cooperbench.environments.layers.packing import packed
from cooperbench.errors import ImageError, SandboxError, SilentSandboxError, TransportError

FILL_SECONDS = 900.0
"""For one layer: 400 MB pack to 170 MB, which a slow line of 2 Mbit/s takes in 11 minutes."""
SHORT_SECONDS = 60.0
ATTEMPTS, PAUSE = 3, 1.0
MISSING = ("not found", "Cannot exec")
"""Words of a shell, and of GNU tar, that miss a program."""
UNPACK = 'mkdir -p "$1" && head -c "$2" | tar -xzf - -C "$1"'
"""`head` ends where the input does: servers before Kubernetes 1.30 cannot close it."""


def fill(commands: PodCommands, names: tuple[str, ...]) -> list[Layer]:
    """Unpack the layers for the processor of the pod's node, and let the sandbox start.

    Raises `UsageError` for one that is not installed, `ImageError` where the image cannot unpack, `SandboxError`.
    """
    machine = _run(commands, ["uname", "-m"]).stdout.decode("ascii", "replace").strip()
    layers = [installed(name, cpu_of(f"linux/{machine}")) for name in names]
    for layer in layers:
        with packed(layer) as data:
            _run(commands, ["sh", "-c", UNPACK, "sh", layer.place, str(len(data))], data, FILL_SECONDS)
    _run(commands, ["touch", COMPLETE])
    return layers


def _run(commands: PodCommands, argv: list[str], data: bytes | mmap = b"", seconds: float = SHORT_SECONDS) -> RunReply:
    """Run what may run twice, again when the connection breaks."""
    for attempt in range(ATTEMPTS):
        try:
            reply = commands.run(argv, data, seconds)
            break
        except TransportError as error:
            if attempt == ATTEMPTS - 1 or isinstance(error, SilentSandboxError):
                raise
            time.sleep(PAUSE)
    if reply.returncode == 0:
        return reply
    said = " ".join(reply.stderr.decode("utf-8", "replace").split()) or f"exit code {reply.returncode}"
    problem = f"the layers of agents cannot be unpacked in the pod: {said}"
    if any(words in said for words in MISSING):
        raise ImageError(problem, subject=commands.name, hint="layers need sh, head, tar and gzip in the image")
    raise SandboxError(problem, subject=commands.name)
