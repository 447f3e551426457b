"""Programs of agents at Modal: what is uploaded, and when."""

import os
from hashlib import sha256
from pathlib import Path

import pytest
from grpclib import Status

from cooperbench.environments.layers import Layer, LayerFile, LayerRecipe, install_layer
from cooperbench.environments.modal import ModalEnvironment
from cooperbench.errors import SandboxError, UsageError
from tests.standins.modal import ModalStandin

pytestmark = pytest.mark.docker

IMAGE = "cooperbench-test/sandbox:latest"
LARGE = 5 << 20
"""Bytes; the SDK sends what has more than 4 MiB another way."""


@pytest.fixture
def layer(cache: Path, tmp_path: Path) -> Layer:
    """One that no workspace has."""
    files = []
    for name, data in {"program": b"#!/bin/sh\nwc -c <${0%program}large\n", "large": os.urandom(LARGE)}.items():
        (tmp_path / name).write_bytes(data)
        url, digest = (tmp_path / name).as_uri(), sha256(data).hexdigest()
        files.append(LayerFile(url=url, sha256=digest, path=name, executable=name == "program"))
    return install_layer("at.modal-with-a-name-that-is-long", LayerRecipe(files=tuple(files), program="program"), "x64")


def shown(layer: Layer) -> str:
    with ModalEnvironment(IMAGE, layers=(layer.name,)) as environment:
        assert environment.handle().layers[layer.name].endswith(layer.digest)
        done = environment.execute(f"{layer.program_path}; echo changed >{layer.program_path}")
        assert done["returncode"] != 0
        return done["output"].partition("\n")[0]


def test_a_layer_is_uploaded_once_for_a_workspace(modal_standin: ModalStandin, layer: Layer) -> None:
    volumes = modal_standin.fleet.volumes
    before = volumes.uploaded
    assert shown(layer) == str(LARGE)
    sent = volumes.uploaded - before
    assert LARGE < sent < LARGE + 1000
    assert shown(layer) == str(LARGE)
    assert volumes.uploaded == before + sent
    [name] = [name for name in volumes.names if layer.digest[:16] in name]
    volumes.forget(name)
    assert shown(layer) == str(LARGE)


def test_an_upload_that_fails_is_no_layer(modal_standin: ModalStandin, layer: Layer) -> None:
    modal_standin.fail_next("VolumePutFiles", Status.FAILED_PRECONDITION, "the volume is full")
    running = len(modal_standin.running)
    with pytest.raises(SandboxError, match="the volume is full"):
        shown(layer)
    assert len(modal_standin.running) == running
    assert shown(layer) == str(LARGE)


def test_one_that_is_not_installed_is_named(modal_standin: ModalStandin) -> None:
    with pytest.raises(UsageError, match="'never-installed' is not installed"):
        ModalEnvironment(IMAGE, layers=("never-installed",))
