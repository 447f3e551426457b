from pathlib import Path
from uuid import uuid4

import pytest

from cooperbench.collaboration import open_broker
from cooperbench.environments import SandboxLabels, open_environment, orphans
from cooperbench.errors import SandboxLostError
from cooperbench.testing import sample_image
from tests.command_line import cooperbench


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path))
    return sample_image("test:clean")


@pytest.mark.needs("sandbox")
def test_only_the_named_run_is_removed(image: str) -> None:
    left = open_environment("local", image, labels=SandboxLabels(run="left"))
    with open_environment("local", image, labels=SandboxLabels(run="working")) as working:
        said = cooperbench("clean", "--run", "left", "--backend", "local", "--dry-run", "--json")
        assert said.code == 0
        [found] = said.facts["leftovers"]
        assert (found["identifier"], found["removed"]) == (left.handle().identifier, False)
        assert left.execute("echo here")["output"] == "here\n"

        said = cooperbench("clean", "--run", "left", "--backend", "local")
        assert said.code == 0
        assert "removed" in said.out
        with pytest.raises(SandboxLostError):
            left.execute("true")
        assert working.execute("echo here")["output"] == "here\n"
    left.cleanup()
    assert cooperbench("clean", "--backend", "local").out == "nothing to remove\n"


def test_mailboxes_of_a_run_are_removed_from_a_server_that_is_not_ours() -> None:
    with open_broker() as server, open_broker(server.url) as broker:
        broker.open_episode("left/coop/repo/1/1-2.1", ["agent1", "agent2"])
        broker.open_episode("left-alone/coop/repo/1/1-2.1", ["agent1", "agent2"])
        arguments = ("clean", "--run", "left", "--backend", "local", "--redis", server.url, "--json")
        assert cooperbench(*arguments, "--dry-run").facts["mailboxes"] == 1
        assert cooperbench(*arguments).facts["mailboxes"] == 1
        assert cooperbench(*arguments).facts["mailboxes"] == 0
        assert (
            cooperbench("clean", "--backend", "local", "--redis", server.url, "--json", "--dry-run").facts["mailboxes"]
            == 1
        )


@pytest.mark.docker
def test_containers_of_one_run(tmp_path: Path) -> None:
    run = f"clean-{uuid4().hex[:8]}"
    left = open_environment("docker", "cooperbench-test/busybox", labels=SandboxLabels(run=run))
    said = cooperbench("clean", "--run", run, "--json", env={"COOPERBENCH_CACHE_DIR": str(tmp_path)})
    assert said.code == 0, said
    assert [found["backend"] for found in said.facts["leftovers"]] == ["docker"]
    assert orphans(run, backends=["docker"]) == []
    left.cleanup()
