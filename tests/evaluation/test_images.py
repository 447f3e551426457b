"""Images of unusual kinds, through an episode and its evaluation with the gold agent."""

import subprocess
from pathlib import Path

import pytest

from cooperbench.environments import EnvironmentOptions, SandboxLabels, build_image, open_environment
from cooperbench.environments.bases import prepare_for_agent
from cooperbench.evaluation import score
from cooperbench.records import ImageRecipe
from cooperbench.tasks import Task

pytestmark = [pytest.mark.docker, pytest.mark.slow]
KINDS = {
    "user": "RUN adduser --disabled-password --gecos '' app >/dev/null && chown -R app /workspace\nUSER app\nENV GIT_DIR=/workspace/repo/.git\n",
    "user without a name": "RUN chmod -R a+rwX /workspace\nUSER 12345\nENV LD_PRELOAD=/usr/lib/libnotthere.so\n",
}
"""A container costs seconds, so each image is unusual in two ways: the user, and a variable that disturbs git or every program."""


@pytest.mark.parametrize("kind", KINDS)
def test_works(shelfdb: Task, tmp_path: Path, kind: str) -> None:
    image = f"cooperbench-test/kind-{kind.lower().replace(' ', '-').replace('_', '-')}:evaluation"
    upstream = tmp_path / "repo"
    upstream.mkdir()
    stream = (shelfdb.path / "repository.fast-export").read_bytes()
    subprocess.run(["git", "init", "-q", "-b", "main", str(upstream)], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=upstream, input=stream, check=True)
    subprocess.run(["git", "reset", "-q", "--hard", "main"], cwd=upstream, check=True)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        f"FROM cooperbench-test/base\nCOPY repo /workspace/repo\nWORKDIR /workspace/repo\n{KINDS[kind]}"
    )
    recipe = ImageRecipe(name=image, context=tmp_path, dockerfile=dockerfile)
    build_image("docker", recipe)
    task = Task(shelfdb.repo, shelfdb.task_id, shelfdb.path, image, recipe, shelfdb.features)
    evaluation = score(
        task, {1: task.features[1].gold_patch}, backend="docker", network="none", time_limit=120, falsify="off"
    )
    assert evaluation.verdict.passed, evaluation.verdict
    with open_environment("docker", image, options=EnvironmentOptions(lifetime=300), labels=SandboxLabels()) as sandbox:
        prepare_for_agent(sandbox, tmp_path / "store")
        assert sandbox.execute("git status --short")["returncode"] == 0
