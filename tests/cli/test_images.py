import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cooperbench.environments import open_environment
from cooperbench.testing.images import git, make_repository
from tests.command_line import cooperbench

RUNNER = "#!/bin/bash\ntrue\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A data set with one task, whose Dockerfile clones a repository that cannot be reached."""
    clone = tmp_path / "clone"
    base = make_repository(clone, {"a.py": "a = 1\n"})
    (clone / "later.py").write_text("the solution\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "Later")
    task = tmp_path / "dataset" / "some_task" / "task7"
    for number in (1, 2):
        feature = task / f"feature{number}"
        feature.mkdir(parents=True)
        (feature / "feature.md").write_text("**Title**: nothing\n")
        (feature / "feature.patch").write_text("")
        (feature / "tests.patch").write_text("")
    (task / "runner.sh").write_text(RUNNER)
    (task / "Dockerfile").write_text(
        "FROM registry.invalid/python:3\n"
        "RUN git clone https://github.com/nobody/nothing.git /workspace/repo\n"
        f"WORKDIR /workspace/repo\nRUN git checkout --quiet {base}\n"
    )
    return tmp_path / "dataset"


@pytest.fixture
def prefix() -> Iterator[str]:
    prefix = f"cooperbench-test/{uuid4().hex[:8]}-"
    yield prefix
    subprocess.run(["docker", "rmi", "--force", f"{prefix}some:task7"], capture_output=True, check=False)


def test_the_demo_images_are_built_for_local(tmp_path: Path) -> None:
    env = {"COOPERBENCH_CACHE_DIR": str(tmp_path)}
    arguments = ("-s", "demo", "--backend", "local", "--json")
    before = cooperbench("images", "list", *arguments, env=env).facts
    assert before
    assert not any(image["here"] for image in before)
    built = cooperbench("images", "build", *arguments, env=env).facts
    assert all(image["here"] and image["digest"] for image in built)
    assert cooperbench("images", "list", *arguments, env=env).facts == built


def test_an_unknown_image_is_bad_usage() -> None:
    said = cooperbench("images", "build", "demo:nothing", "-s", "demo", "--backend", "local")
    assert said.code == 2
    assert "unknown image" in said.err


@pytest.mark.docker
def test_a_task_is_built_from_a_clone_on_another_base(dataset: Path, prefix: str) -> None:
    env = {"COOPERBENCH_IMAGE_PREFIX": prefix}
    chosen = ("--dataset-dir", str(dataset), "-r", "some_task", "--json")
    [missing] = cooperbench("images", "list", *chosen, env=env).facts
    assert (missing["name"], missing["here"]) == (f"{prefix}some:task7", False)
    clone = dataset.parent / "clone"
    said = cooperbench(
        *("images", "build", *chosen, "--repo-source", str(clone), "--base-image", "cooperbench-test/base"), env=env
    )
    assert said.code == 0, said
    [built] = said.facts
    assert built["here"]
    assert built["platform"].startswith("linux/")
    later = git(clone, "rev-parse", "HEAD")
    with open_environment("docker", built["name"]) as environment:
        assert environment.execute("cat a.py; ls")["output"] == "a = 1\na.py\n"
        assert environment.execute(f"git cat-file -e {later}")["returncode"] != 0


@pytest.mark.docker
def test_one_image_that_cannot_be_pulled_does_not_hide_the_others(dataset: Path) -> None:
    env = {"COOPERBENCH_IMAGE_REGISTRY": "registry.invalid"}
    said = cooperbench("images", "pull", "--dataset-dir", str(dataset), "--json", env=env)
    assert said.code == 1
    assert "registry.invalid/akhatua/cooperbench-some:task7" in said.err
    assert [image["here"] for image in said.facts] == [False]
    assert cooperbench(
        *("images", "pull", "--dataset-dir", str(dataset), "--keep-free", "1000000000"), env=env
    ).err.endswith("GB are free\n")
