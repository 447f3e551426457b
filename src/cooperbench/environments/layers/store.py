"""The layers on this machine: `<cache>/layers/<name>/<digest>/`, with `layer.json` beside the folder `content`.

A folder of that name is complete: it is made elsewhere and renamed. `<name>/current-<cpu>` holds the digest in use; earlier
layers stay, because sandboxes may still show them.
"""

import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cooperbench.environments.layers.recipe import CPUS, Cpu, Layer
from cooperbench.errors import RecordError, UsageError
from cooperbench.records import cache_dir, read_model, write_bytes


def layers_dir() -> Path:
    """Return the folder of all layers."""
    return cache_dir() / "layers"


def cpu_of(image_platform: str | None) -> Cpu:
    """Return the processor of a platform such as linux/amd64, or of this machine. Raises `UsageError` for others."""
    name = (
        platform.machine() if image_platform is None else image_platform.split("/")[min(1, image_platform.count("/"))]
    )
    try:
        return CPUS[name.lower()]
    except KeyError:
        raise UsageError(f"layers of agents exist for x86-64 and ARM processors, not for {name}") from None


def find_layer(name: str, cpu: Cpu | None = None) -> Layer | None:
    """Return the layer in use for a processor (this machine's by default); `None` when it is not installed."""
    folder = layers_dir() / name
    try:
        digest = (folder / f"current-{cpu or cpu_of(None)}").read_text(encoding="ascii").strip()
        return read_model(folder / digest / "layer.json", Layer)
    except (OSError, RecordError):
        return None


def kept_layers(name: str) -> list[Layer]:
    """Return every layer of an agent on this machine, in use or not."""
    found = []
    for path in sorted((layers_dir() / name).glob("*/layer.json")):
        with suppress(RecordError):
            found.append(read_model(path, Layer))
    return found


def installed(name: str, cpu: Cpu | None = None) -> Layer:
    """Return the layer in use. Raises `UsageError` with the command that installs it."""
    found = find_layer(name, cpu)
    if found is None:
        of = f" for {cpu}" if cpu is not None and cpu != cpu_of(None) else ""
        raise UsageError(f"the agent {name!r} is not installed{of}", subject=name, hint=install_command(name, cpu))
    return found


def install_command(name: str, cpu: Cpu | None = None) -> str:
    """Return the command that installs an agent's layer."""
    other = f" --cpu {cpu}" if cpu is not None and cpu != cpu_of(None) else ""
    return f"cooperbench agents install {name}{other}"


def content(found: Layer) -> Path:
    """Return the folder of this machine that holds a layer's files."""
    return layers_dir() / found.name / found.digest / "content"


def use(found: Layer) -> None:
    """Make a complete layer the one in use."""
    target = layers_dir() / found.name / f"current-{found.cpu}"
    write_bytes(target, f"{found.digest}\n".encode())


def pinned(name: str, pin: str) -> Layer:
    """Return the layer that a sandbox shows, by its pin. Raises `UsageError` when it was removed from this machine."""
    found = next((layer for layer in kept_layers(name) if pins([layer])[name] == pin), None)
    if found is None:
        raise UsageError(
            f"the layer {name} {pin} is not on this machine", subject=name, hint=install_command(name, None)
        )
    return found


def pins(layers: Iterable[Layer]) -> dict[str, str]:
    """Return version and digest of layers, for records."""
    return {layer.name: f"{layer.version}@sha256:{layer.digest}" for layer in layers}
