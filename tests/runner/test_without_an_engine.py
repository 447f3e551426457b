"""A pair on a host without an engine: a container image from a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cooperbench.environments import build_image
from cooperbench.runner import read_run
from cooperbench.tasks import discover_tasks


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.docker
@pytest.mark.needs("sandbox", "unpacking")
def test_a_pair_runs_to_its_verdict(tmp_path: Path) -> None:
    [task] = [task for task in discover_tasks(subset="demo") if task.repo == "shelfdb_task"]
    build_image("docker", task.recipe, base_image="cooperbench-test/base")
    archive = tmp_path / "image.tar"
    subprocess.run(["docker", "save", "-o", archive, task.recipe.name], check=True, capture_output=True)
    nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "COOPERBENCH_CACHE_DIR": str(tmp_path / "cache")}
    said = [
        subprocess.run(
            [sys.executable, "-m", "cooperbench.cli.main", *words],
            env={**os.environ, **nowhere},
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        for words in (
            ["images", "unpack", str(archive), "--json"],
            ["run", "-n", "alone", "-s", "demo", "-r", "shelfdb", "-f", "1,5", "-a", "gold", "--log-dir", "logs"],
        )
    ]
    assert [done.returncode for done in said] == [0, 0], said
    [image] = json.loads(said[0].stdout)
    config = json.loads((tmp_path / "logs" / "alone" / "config.json").read_text())
    assert config["image_digests"] == {task.recipe.name: image["digest"]}
    [episode] = read_run("alone", tmp_path / "logs").episodes
    assert episode.result is not None
    assert (episode.result.backend, episode.result.image) == ("local", task.recipe.name)
    assert episode.verdict is not None
    assert episode.verdict.passed
