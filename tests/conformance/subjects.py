"""What the suite is run on here: each name is a function that makes a `Subject`, and says when it cannot."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cooperbench.environments import SandboxHandle
from cooperbench.environments.local import LocalBackend
from cooperbench.testing import sample_image
from cooperbench.testing.conformance import Subject
from cooperbench.testing.conformance.commands import until
from tests.needs import need
from tests.standins.kubernetes import KubernetesStandin
from tests.standins.modal import ModalStandin

TOOL = ("mytool; echo $IMG_VAR", "tool-ok\nfrom-image\n")
BUSYBOX_TOOL = ("echo $PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")


def kill_local(handle: SandboxHandle) -> None:
    """Kill every process of a local sandbox from outside, and wait for their end: on a busy machine that is later."""
    processes = [folder for folder in Path("/proc").glob("[0-9]*") if handle.identifier in _command_line(folder)]
    for folder in processes:
        with suppress(ProcessLookupError):  # the first takes others with it
            os.kill(int(folder.name), signal.SIGKILL)
    assert until(lambda: not any(_command_line(folder) for folder in processes), 60)


def _command_line(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_text(errors="replace")  # empty for a process that has ended
    except OSError:
        return ""


def kill_container(handle: SandboxHandle) -> None:
    subprocess.run(["docker", "kill", handle.identifier], check=True, capture_output=True)


def local(request: pytest.FixtureRequest) -> Subject:
    image = sample_image("test:conformance", host_packages=("pytest",))
    tool = ("command -v pytest; echo $VIRTUAL_ENV", "/opt/venv/bin/pytest\n/opt/venv\n")
    return Subject(backend="local", image=image, kill=kill_local, tool=tool)


def unpacked(name: str, request: pytest.FixtureRequest) -> str:
    """Unpack a test image of the Docker engine, from a file as a user brings it to a host without an engine."""
    need("unpacking")
    folder = request.getfixturevalue("tmp_path_factory").mktemp("archives")
    archive = folder / "image.tar"
    subprocess.run(["docker", "save", "-o", archive, f"cooperbench-test/{name}"], check=True, capture_output=True)
    LocalBackend().unpack_images(str(archive), None)
    archive.unlink()
    return f"cooperbench-test/{name}"


def local_unpacked_nonroot(request: pytest.FixtureRequest) -> Subject:
    tool = ("whoami; echo $HOME; echo $PIP_ROOT_USER_ACTION", "dev\n/home/dev\nignore\n")
    return Subject(backend="local", image=unpacked("nonroot", request), kill=kill_local, tool=tool)


def local_unpacked_root(request: pytest.FixtureRequest) -> Subject:
    return Subject(backend="local", image=unpacked("sandbox", request), kill=kill_local, tool=TOOL)


def local_unpacked(request: pytest.FixtureRequest) -> Subject:
    image = unpacked("busybox", request)
    return Subject(backend="local", image=image, kill=kill_local, tool=BUSYBOX_TOOL, cwd="/root", git=False)


def docker(request: pytest.FixtureRequest) -> Subject:
    return Subject(backend="docker", image="cooperbench-test/sandbox", kill=kill_container, tool=TOOL)


def docker_nonroot(request: pytest.FixtureRequest) -> Subject:
    tool = ("whoami; echo $HOME; echo $PIP_ROOT_USER_ACTION", "dev\n/home/dev\nignore\n")
    return Subject(backend="docker", image="cooperbench-test/nonroot", kill=kill_container, tool=tool)


def docker_busybox(request: pytest.FixtureRequest) -> Subject:
    image = "cooperbench-test/busybox"
    return Subject(backend="docker", image=image, kill=kill_container, tool=BUSYBOX_TOOL, cwd="/root", git=False)


def modal(request: pytest.FixtureRequest) -> Subject:
    standin: ModalStandin = request.getfixturevalue("modal_standin")
    return Subject(
        backend="modal",
        image="cooperbench-test/sandbox",
        kill=lambda handle: standin.kill_sandbox(handle.identifier),
        tool=TOOL,
    )


def modal_busybox(request: pytest.FixtureRequest) -> Subject:
    return replace(modal(request), image="cooperbench-test/busybox", tool=BUSYBOX_TOOL, cwd="/root", git=False)


def gcp(request: pytest.FixtureRequest) -> Subject:
    request.getfixturevalue("gcp_machine")
    return Subject(
        backend="gcp",
        image="cooperbench-test/sandbox",
        kill=kill_container,  # the machines' engine is this machine's
        tool=TOOL,
        settings={"idle_seconds": "0"},
    )


def kubernetes(request: pytest.FixtureRequest) -> Subject:
    """Pods of a stand-in, which are local sandboxes: no engine is needed."""
    standin: KubernetesStandin = request.getfixturevalue("kubernetes_standin")
    return replace(
        local(request), backend="kubernetes", kill=lambda handle: standin.kill(handle.identifier), keeps_ended=True
    )


def podman(request: pytest.FixtureRequest) -> Subject:
    """Podman by its Docker-compatible socket, with the code of the docker backend."""
    need("podman")
    image = "localhost/cooperbench-test/sandbox:latest"
    return Subject(backend="docker", image=image, kill=kill_container, tool=TOOL, missing_image=f"{image}-none")


def container_cli(request: pytest.FixtureRequest) -> Subject:
    """A backend of a package that is not ours, found by its entry point."""
    request.getfixturevalue("third_party_installed")
    return Subject(backend="container-cli", image="cooperbench-test/sandbox", kill=kill_container, tool=TOOL)


SUBJECTS: dict[str, Callable[[pytest.FixtureRequest], Subject]] = {
    "local": local,
    "local-unpacked": local_unpacked,
    "local-unpacked-root": local_unpacked_root,
    "local-unpacked-nonroot": local_unpacked_nonroot,
    "docker": docker,
    "docker-nonroot": docker_nonroot,
    "docker-busybox": docker_busybox,
    "container-cli": container_cli,
    "modal": modal,
    "modal-busybox": modal_busybox,
    "gcp": gcp,
    "kubernetes": kubernetes,
    "podman": podman,
}
WHEN_NAMED = ("local-unpacked-root", "local-unpacked-nonroot")
"""Subjects that run for `--backend NAME` only: what they add to others is less than the 10 s of unpacking their images."""
BACKENDS = "test_(17|18|19|20|22|23_killed|23_removing|23_the_runner|24)"
"""What a backend does before, beside and after its sandboxes, whatever the image."""
SUPERVISORS = "test_(07|09_endless|27_time|29_what|31)"
"""What the supervisor does, whatever carries it: it differs with the tools of an image only."""
MOMENTS = "test_(23_killed.* 0.02|24.* 0.0|24.* 0.4)$"
"""Further moments at which a start is interrupted."""
COVERED_BY_OTHERS = {
    "local-unpacked": f"{BACKENDS}|{SUPERVISORS}",
    "docker-nonroot": f"{BACKENDS}|{SUPERVISORS}",
    "docker-busybox": BACKENDS,
    "container-cli": f"{SUPERVISORS}|{MOMENTS}|test_21",
    "modal": MOMENTS,
    "modal-busybox": "(?!test_(01|02|13|25_closing|27_killing))",
    "gcp": f"{MOMENTS}|{SUPERVISORS}|test_(17|18|23_the_lifetime)",  # Docker's limits; its janitor has tests in test_gcp.py
    "kubernetes": MOMENTS,
    "podman": f"{SUPERVISORS}|{MOMENTS}|test_(20_stopping|21|23_the_lifetime|23_the_runner)",
}
"""By subject, tests whose code other subjects run as well: the backend with another image, the image on another backend. They run with
`--extensive` or `--backend`; in every run all together took 546 s on two cores, without these about 290 s."""
