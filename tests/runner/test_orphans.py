"""Whoever works on a run next removes what an earlier process of it left: running sandboxes, and those that never started."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cooperbench.environments import EnvironmentOptions, SandboxLabels, open_environment, orphans, reap
from cooperbench.environments.docker.engine import connect
from cooperbench.environments.docker.labels import CLOCKS, LIFETIME_LABEL, LONGEST_START, OWNER_LABEL, is_expired
from cooperbench.records import RunDirectory
from cooperbench.records.run_owner import run_owner
from cooperbench.testing import sample_image
from tests.command_line import cooperbench

RUN = ("run", "-s", "demo", "-r", "shelfdb", "-f", "1,2", "-a", "nop", "-m", "none", "-n", "exp", "--no-auto-eval")
BUSYBOX = "cooperbench-test/busybox"


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COOPERBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return sample_image("test:orphans")


def test_owners_are_run_directories(tmp_path: Path) -> None:
    mine, other = (RunDirectory(tmp_path / place / "exp") for place in ("mine", "other"))
    assert run_owner(mine) != run_owner(other)
    assert run_owner(mine) == run_owner(RunDirectory(tmp_path / "other" / ".." / "mine" / "exp"))


@pytest.mark.needs("sandbox")
def test_a_resumed_run_removes_what_it_left_and_nothing_else(image: str, surroundings: Path) -> None:
    mine = run_owner(RunDirectory(surroundings / "exp"))
    left = open_environment("local", image, labels=SandboxLabels(run="exp", owner=mine))
    same_name = open_environment("local", image, labels=SandboxLabels(run="exp", owner="0" * 16))
    with same_name:
        said = cooperbench(*RUN)
        assert said.code == 0, said
        assert "sandboxes that an earlier process left were removed: 1" in said.err
        assert same_name.execute("echo here")["output"] == "here\n"
        assert [orphan.identifier for orphan in orphans("exp", backends=["local"])] == [same_name.handle().identifier]
    left.cleanup()


@pytest.fixture
def owner() -> Iterator[str]:
    made = uuid4().hex[:16]
    yield made
    reap("docker", made)


@pytest.mark.needs("docker")
def test_a_container_that_never_started_is_removed(owner: str) -> None:
    labels = SandboxLabels(run="orphans", owner=owner)
    with open_environment("docker", BUSYBOX, options=EnvironmentOptions(cwd="/", network="none"), labels=labels) as env:
        [found] = [orphan for orphan in orphans("orphans", backends=["docker"]) if orphan.owner == owner]
        assert (found.running, found.expired) == (True, False)
        engine = connect(None)
        made = engine.client.containers.get(found.identifier).labels
        assert (made[OWNER_LABEL], made[LIFETIME_LABEL]) == (owner, "3600")
        created = engine.client.containers.create(BUSYBOX, ["60"], entrypoint=["sleep"], labels=made)
        assert reap("docker", "f" * 16) == 0 or created.status == "created"  # others' may have expired
        assert len([one for one in orphans("orphans", backends=["docker"]) if one.owner == owner]) == 2
        assert reap("docker", owner) >= 2
        assert not [one for one in orphans("orphans", backends=["docker"]) if one.owner == owner]
        env.cleanup()


@pytest.mark.parametrize(
    ("state", "age", "expired"),
    [
        ("created", LONGEST_START, False),
        ("created", LONGEST_START + CLOCKS + 1, True),
        ("running", LONGEST_START + CLOCKS + 1, False),
        ("running", 7200 + CLOCKS - 1, False),
        ("running", 7200 + CLOCKS + 1, True),
        ("exited", 7200 + CLOCKS + 1, True),
    ],
)
def test_a_lifetime_begins_with_the_creation(state: str, age: float, expired: bool) -> None:
    row = {"Labels": {LIFETIME_LABEL: "7200"}, "State": state, "Created": 1000.0}
    assert is_expired(row, 1000.0 + age) is expired
    assert not is_expired({**row, "Labels": {}}, 1e12)
