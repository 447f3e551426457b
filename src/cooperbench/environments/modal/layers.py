"""Layers of agents at Modal: a volume of the workspace for each, filled once from this machine and mounted read-only.

`docs/design/layers.md` says why not layers of images.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from cooperbench.environments.layers import Layer
from cooperbench.environments.layers.store import content, layers_dir
from cooperbench.environments.locks import locked
from cooperbench.environments.modal.sdk import modal_sdk, our_errors

COMPLETE = ".cooperbench-complete"
LONGEST_NAME = 28
"""Characters of a layer's name in that of its volume, which Modal limits to 63."""


def mounts(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the volumes of a sandbox by their place in it. The first time in a workspace, fill them.

    Raises the classes below `SandboxError`.
    """
    return {layer.place: _filled(layer).with_mount_options(read_only=True) for layer in layers}


def _filled(layer: Layer) -> Any:
    """Return a layer's volume. One process fills it at a time, and notes which volume is complete."""
    name = f"cooperbench-{layer.name[:LONGEST_NAME]}-{layer.digest[:16]}"
    with our_errors(name), locked(layers_dir() / f".modal-{name}.lock"):
        volume = modal_sdk().Volume.from_name(name, create_if_missing=True)
        volume.hydrate()
        note = content(layer).with_name(f"modal-{volume.object_id}")
        if not note.exists():
            if not any(entry.path.lstrip("/") == COMPLETE for entry in volume.listdir("/")):
                _fill(volume, layer)
            note.touch()
    return volume


def _fill(volume: Any, layer: Layer) -> None:
    """Upload a layer's files, in one commit. Those that Modal has from earlier layers are not sent again."""
    with volume.batch_upload(force=True) as batch:
        batch.put_directory(content(layer), "/")
        batch.put_file(BytesIO(b""), f"/{COMPLETE}")
