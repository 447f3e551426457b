"""Layers of agents in an engine: each is a volume, filled once from this machine and mounted read-only.

A volume works with engines on other machines, where a folder of this machine does not exist, and with every image; an image
derived for each (image, layer) would hold the layer's 200 to 400 MB once more for every image. A file that is written last
says that a volume is complete. `docs/design/layers.md` has the measured numbers.
"""

import contextlib
import os
import tarfile
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from cooperbench.environments.contract import EnvironmentOptions
from cooperbench.environments.docker import images
from cooperbench.environments.docker.engine import DockerEngine, translated
from cooperbench.environments.docker.labels import LABEL, LIFETIME_LABEL
from cooperbench.environments.docker.removal import removed_at_the_end
from cooperbench.environments.layers.packing import add_files, of_root
from cooperbench.environments.layers.recipe import Layer
from cooperbench.environments.layers.store import content, cpu_of, installed, layers_dir, pins
from cooperbench.environments.locks import locked

__all__ = ["mounts", "of_image", "pins"]

LAYER_LABEL = "cooperbench.layer"
COMPLETE = ".cooperbench-complete"
FILL_SECONDS = "3600"
"""After which a container that a killed process left may be removed by anybody."""
PLACE = "/cooperbench-layer"
CHUNK = 1 << 20


def of_image(engine: DockerEngine, image: str, options: EnvironmentOptions) -> list[Layer]:
    """Return the layers of a container, which fit the image's processor. Raises `UsageError` for one that is not installed."""
    if not options.layers:
        return []
    cpu = cpu_of(images.architectures(engine, image)[1])
    return [installed(name, cpu) for name in options.layers]


def mounts(engine: DockerEngine, image: str, found: list[Layer]) -> dict[str, Any]:
    """Return the arguments of a container that mount layers. The first time in an engine, fill their volumes."""
    if not found:
        return {}
    from docker.types import Mount

    for layer in found:
        _ensure_volume(engine, image, layer)
    return {"mounts": [Mount(layer.place, _volume(layer), read_only=True) for layer in found]}


def _volume(layer: Layer) -> str:
    return f"cooperbench-layer-{layer.name}-{layer.digest[:16]}"


def _ensure_volume(engine: DockerEngine, image: str, layer: Layer) -> None:
    """Fill the layer's volume unless this engine has it. One process does it at a time."""
    name = _volume(layer)
    with translated(name), locked(layers_dir() / f".{name}.lock"):
        engine.client.api.create_volume(name, labels={LAYER_LABEL: layer.name})  # the existing one, if any
        created = str(engine.client.api.inspect_volume(name).get("CreatedAt"))
        note = content(layer).parent / f"volume-{engine.client.info()['ID'].replace(':', '')}"
        if note.exists() and note.read_text() == created:
            return
        helper = f"cooperbench-fill-{uuid.uuid4().hex[:12]}"
        with removed_at_the_end(engine, helper):
            engine.client.api.create_container(
                image,
                ["true"],
                name=helper,
                labels={LAYER_LABEL: layer.name, LABEL: "layers", LIFETIME_LABEL: FILL_SECONDS},
                host_config=engine.client.api.create_host_config(binds=[f"{name}:{PLACE}"]),
            )
            if not _is_complete(engine, helper):
                engine.client.api.put_archive(helper, PLACE, _packed(layer))
            note.write_text(created)


def _is_complete(engine: DockerEngine, container: str) -> bool:
    from docker import errors

    try:
        chunks, _ = engine.client.api.get_archive(container, f"{PLACE}/{COMPLETE}")
    except errors.NotFound:
        return False
    for _ in chunks:  # an abandoned answer leaks its connection
        pass
    return True


def _packed(layer: Layer) -> Iterator[bytes]:
    """Yield a tar archive of the layer's files, and of the file that says that it is complete."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as packed:
        packer = threading.Thread(target=_pack, args=(layer, writing), name="cooperbench-pack", daemon=True)
        packer.start()
        while data := packed.read(CHUNK):
            yield data
    packer.join()


def _pack(layer: Layer, writing: int) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
        with tarfile.open(fileobj=pipe, mode="w|", dereference=False) as archive:
            add_files(archive, layer)
            archive.addfile(of_root(tarfile.TarInfo(COMPLETE)))
