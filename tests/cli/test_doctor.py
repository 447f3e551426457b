import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command_line import cooperbench, in_a_new_process

if TYPE_CHECKING:
    from tests.standins.gce import GceStandin
    from tests.standins.modal import ModalStandin


@pytest.mark.slow
@pytest.mark.needs("sandbox")
def test_local_is_ready_and_a_message_gets_out_of_a_sandbox(tmp_path: Path) -> None:
    env = {"COOPERBENCH_CACHE_DIR": str(tmp_path)}
    said = cooperbench("doctor", "--backend", "local", "--json", env=env)
    assert said.code == 0, said
    [local] = said.facts["backends"]
    assert local["ready"]
    assert {check["name"] for check in local["checks"]} == {
        "isolation",
        "git",
        "container images",
        "disk space",
    }
    assert [check["ok"] for check in said.facts["messages"]] == [True, True]
    shown = cooperbench("doctor", "--backend", "local", env=env)
    assert "message from inside local: delivered to agent2" in shown.out


@pytest.mark.slow
def test_what_is_missing_comes_with_the_command_that_mends_it(tmp_path: Path) -> None:
    nobody = {
        "COOPERBENCH_CONFIG_DIR": str(tmp_path),
        "HOME": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        "MODAL_TOKEN_ID": "",
        "MODAL_TOKEN_SECRET": "",
        "GOOGLE_CLOUD_PROJECT": "",
    }
    said = in_a_new_process(
        *("doctor", "--json", "--backend", "docker", "--backend", "modal", "--backend", "gcp"), env=nobody
    )
    assert said.code == 1
    failed = {
        backend["backend"]: next(check for check in backend["checks"] if not check["ok"])
        for backend in said.facts["backends"]
    }
    assert failed["docker"]["name"] == "engine"
    assert "DOCKER_HOST" in failed["docker"]["fix"]
    assert failed["modal"]["fix"].startswith("modal token new")
    assert failed["gcp"]["fix"] == "cooperbench config gcp --project-id VALUE"


@pytest.mark.slow
def test_an_sdk_whose_outer_package_is_missing_too_is_named_with_its_extra() -> None:
    program = (
        "import sys; sys.modules['google'] = None; "
        "from cooperbench.cli.main import main; sys.exit(main(['doctor', '--backend', 'gcp']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[gcp]'" in done.stdout
    assert done.stderr == ""


def test_a_broker_that_does_not_answer_is_named() -> None:
    said = cooperbench("doctor", "--backend", "local", "--redis", "redis://127.0.0.1:9", "--json")
    assert said.code == 1
    [broker] = said.facts["messages"]
    assert not broker["ok"]
    assert "redis-server" in broker["fix"]


def test_an_unknown_backend_is_bad_usage() -> None:
    said = cooperbench("doctor", "--backend", "dokcer")
    assert said.code == 2
    assert "did you mean 'docker'?" in said.err


@pytest.mark.docker
def test_docker_is_ready_and_a_message_gets_out_of_a_container() -> None:
    said = cooperbench("doctor", "--backend", "docker", "--image", "cooperbench-test/busybox", "--json")
    assert said.code == 0, said
    assert said.facts["messages"][1]["detail"] == "delivered to agent2 (docker, network off)"


@pytest.mark.docker
def test_cloud_backends_are_ready_with_credentials(modal_standin: "ModalStandin", gce_standin: "GceStandin") -> None:
    said = cooperbench("doctor", "--backend", "modal", "--backend", "gcp", "--json")
    assert said.code == 0, said
    assert [backend["ready"] for backend in said.facts["backends"]] == [True, True]


@pytest.mark.slow
def test_a_host_without_an_engine_is_told_what_it_can_do(tmp_path: Path) -> None:
    (tmp_path / "podman").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "podman").chmod(0o755)
    (tmp_path / "sh").symlink_to("/bin/sh")
    nothing = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    said = in_a_new_process("doctor", "--backend", "docker", "--backend", "local", "--json", env=nothing)
    docker, local = (backend["checks"] for backend in said.facts["backends"])
    assert f"podman system service --time=0 unix://{tmp_path}/podman/podman.sock" in docker[0]["fix"]
    fixes = {check["name"]: check["fix"] for check in local}
    assert "apt-get install bubblewrap" in fixes["isolation"]
    assert fixes["container images"].startswith("sudo apt-get install skopeo umoci")
