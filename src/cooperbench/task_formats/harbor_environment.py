"""The folder `environment` of a Harbor task: the image of its containers, and what reads the agent's work there."""

import re
import shutil
from importlib.resources import files
from pathlib import Path

from cooperbench.errors import TaskError, UsageError
from cooperbench.tasks import Task

PLACE = "/opt/cooperbench"
LARGEST_FILE = 51_200
"""KiB. A larger file is not read, as in an episode."""
COLLECT = (
    f"mkdir -p /logs/artifacts && cd /workspace/repo && sh {PLACE}/capture.sh {LARGEST_FILE} $(($(wc -c <{PLACE}/base)))"
    f" <{PLACE}/base >/logs/artifacts/work"
)
"""Reads the work tree, whatever became of the repository in it."""

STEPS_BEGIN = "# Of CooperBench's export to Harbor, from here on."
_STEPS = """
{begin}
USER root
COPY cooperbench {place}
# Nothing after the base commit; and what the base holds, with which the work is compared.
RUN cd /workspace/repo && sh {place}/strip.sh {commit} \\
    && git -c safe.directory='*' ls-tree -r -z HEAD >{place}/base \\
    && mkdir -p /patches && chmod 1777 /patches
{user}WORKDIR /workspace/repo
# Harbor's own command keeps the container alive.
ENTRYPOINT []
"""


def write_environment(task: Task, folder: Path, *, base_image: str | None) -> None:
    """Write the build context: the task's own, or an image that a registry has. Gold patches and hidden tests are not in it.

    Raises `TaskError` for a task that has neither, and `UsageError` for a base image that nothing is built on.
    """
    recipe = task.recipe
    if recipe.in_registry or recipe.dockerfile is None:
        if not recipe.in_registry:
            raise TaskError(
                f"{task.key} has no Dockerfile", subject=str(task.path), hint=f"write {task.path}/Dockerfile"
            )
        if base_image is not None:
            raise UsageError(
                f"the image of {task.key} is pulled, not built", subject=base_image, hint="omit --base-image"
            )
        folder.mkdir()
        text = f"FROM {task.image}\n"
    else:
        hidden = shutil.ignore_patterns("feature*", "combined.patch", "Dockerfile", "__pycache__")
        shutil.copytree(recipe.context, folder, ignore=hidden)
        text = recipe.dockerfile.read_text(encoding="utf-8")
        if base_image is not None:
            from cooperbench.environments.docker.images import replace_base

            text = replace_base(text, base_image)
    users = re.findall(r"(?mi)^USER\s+(\S+)", text)
    steps = _STEPS.format(
        begin=STEPS_BEGIN, place=PLACE, commit=recipe.base_commit or "HEAD", user=f"USER {users[-1]}\n" if users else ""
    )
    (folder / "Dockerfile").write_text(text.rstrip("\n") + "\n" + steps, encoding="utf-8")
    programs = folder / "cooperbench"
    programs.mkdir()
    for name in ("capture.sh", "strip.sh"):
        script = files("cooperbench.environments").joinpath(f"inside/{name}").read_bytes()
        (programs / name).write_bytes(script)
