"""The names of the images of tasks, and their recipes.

Published images are named `akhatua/cooperbench-<repository>:task<ID>`. Those of tasks that bring their repository along, as
`tasks new` makes them, are in no registry and in nobody's namespace: `cooperbench-<repository>:task<ID>`.
`$COOPERBENCH_IMAGE_PREFIX` replaces everything before the repository's name, `$COOPERBENCH_IMAGE_REGISTRY` adds a registry in front.
"""

import os
import re
from pathlib import Path

from cooperbench.records import ImageRecipe

DEFAULT_PREFIX = "akhatua/cooperbench-"
OWN_PREFIX = "cooperbench-"
_FORMER_NAMESPACE = "akhatua/"
"""In which the images of own tasks were, too."""
REPOSITORY_FILES = ("repository.bundle", "repository.fast-export")
"""Files that hold the repository of a task: a `git bundle`, or a `git fast-export` stream, which people can read."""


def image_name(repo: str, task_id: int, *, own: bool = False) -> str:
    """Return the name of a task's image, with the user's registry and prefix. An `own` task brings its repository along."""
    prefix = os.environ.get("COOPERBENCH_IMAGE_PREFIX", OWN_PREFIX if own else DEFAULT_PREFIX)
    registry = os.environ.get("COOPERBENCH_IMAGE_REGISTRY", "").rstrip("/")
    name = f"{prefix}{repo.removesuffix('_task').replace('_', '-')}:task{task_id}".lower()
    return f"{registry}/{name}" if registry else name


def bundled_image_name(repo: str, task_id: int) -> str:
    """Return the name of a bundled task's image. No registry has it: it is built where it is needed."""
    return f"demo:{repo}-{task_id}"


def image_recipe(name: str, path: Path, *, bundled: bool) -> ImageRecipe:
    """Return the recipe of the image `name` of the task in the directory `path`."""
    dockerfile = path / "Dockerfile"
    repository = next((path / name for name in REPOSITORY_FILES if (path / name).is_file()), None)
    return ImageRecipe(
        name=name,
        former_name=_FORMER_NAMESPACE + name if repository is not None and name.startswith(OWN_PREFIX) else None,
        context=path,
        dockerfile=dockerfile if dockerfile.is_file() else None,
        repository=repository,
        base_commit=_base_commit(path),
        host_packages=("pytest",) if repository is not None else (),
        bundled=bundled,
    )


def _base_commit(path: Path) -> str | None:
    """Find the commit that the task's own files check out. The layout has no field for it."""
    for name in ("Dockerfile", "setup.sh"):
        file = path / name
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"git\s+(?:checkout|reset\s+--hard)\s+(?:-\S+\s+)*([0-9a-f]{40})\b", text)
        found = found or re.search(r"^(?:ARG|ENV)\s+\w*COMMIT\w*[= ]\"?([0-9a-f]{40})\b", text, re.MULTILINE)
        if found:
            return found.group(1)
    return None
