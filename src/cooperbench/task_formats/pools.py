"""A feature pool that came from elsewhere, and the task that is written of it."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cooperbench.errors import UsageError
from cooperbench.records.paths import AnyPath
from cooperbench.tasks import Task, new_task, read_task
from cooperbench.tasks.skeleton import RUNNER, SETUP

PYTEST = """python3 -m pytest -q $(git apply --numstat "/patches/$1" | cut -f 3 | grep '\\.py$')"""
"""Runs the files of the hidden tests."""
_RUNNER = RUNNER.replace("#!/bin/sh", "#!/bin/bash", 1)
"""Imported test commands are written for bash."""
_FROM_IMAGE = """\
FROM {image}

# What is installed in the image may know the old place.
RUN [ {folder} = /workspace/repo ] \\
    || {{ mkdir -p /workspace && mv {folder} /workspace/repo && ln -s /workspace/repo {folder}; }}
RUN git config --system --add safe.directory /workspace/repo \\
    && cd /workspace/repo && git checkout --quiet --force {commit}
WORKDIR /workspace/repo
ENTRYPOINT []
"""


@dataclass(frozen=True)
class PoolFeature:
    """One feature of a pool."""

    name: str
    text: str
    gold_patch: bytes
    tests_patch: bytes
    source: Mapping[str, Any] = field(default_factory=dict)
    """Facts of where it comes from, for `feature<N>/instance.json`."""


@dataclass(frozen=True)
class FeaturePool:
    """Features on one base."""

    name: str
    """A name for the task, unless the user gives another."""
    features: Mapping[int, PoolFeature]
    base_commit: str | None = None
    pytest: bool = False
    """True if all tests are named as pytest names them."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files of the task itself, such as a `Dockerfile` and a `runner.sh`; empty if they have to be made."""
    image: str | None = None
    """The image that the tests need, and the folder in it with the repository, if the source names them."""
    image_folder: str = "/testbed"


@dataclass(frozen=True)
class Surrounding:
    """What a source of instances does not say: the repository and how its tests run."""

    repository: Path | None = None
    """A local clone, from which an image is built."""
    image: str | None = None
    """An image that has the repository."""
    image_folder: str | None = None
    test: str | None = None
    """The command that runs the hidden tests; `$1` is the name of their patch in /patches."""
    setup: str | None = None
    """The command that installs what the tests need, with `repository`."""
    history: bool = True

    def without_use(self, pool: FeaturePool) -> str | None:
        """Return the first option that decides nothing about this pool; `None` if all do."""
        given = {
            "--repository": self.repository is not None,
            "--image": self.image is not None,
            "--image-folder": self.image_folder is not None,
            "--test": self.test is not None,
            "--setup": self.setup is not None,
            "--no-history": not self.history,
        }
        used = (
            {"--repository", "--test", "--setup", "--no-history"}
            if self.repository
            else {"--image", "--image-folder", "--test"}
        )
        return next((name for name, there in given.items() if there and (pool.files or name not in used)), None)


def write_pool(
    pool: FeaturePool, dataset_dir: AnyPath, *, name: str | None = None, task_id: int = 1, given: Surrounding
) -> Task:
    """Write a pool as the task `<name>_task/task<ID>`. Raises `UsageError` for what is missing or there already, and writes nothing."""
    name = name or pool.name
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise UsageError(
            f"{name!r} is not a task name",
            subject=name,
            hint="--name NAME, of lower-case letters, digits and underscores",
        )
    if given.repository is not None and given.image is not None:
        raise UsageError("the repository is in the clone or in the image", hint="--repository or --image")
    if option := given.without_use(pool):
        raise UsageError(f"{option} decides nothing here", subject=option, hint=f"omit {option}")
    if len(pool.features) < 2:
        only = next(iter(pool.features.values())).name
        raise UsageError(f"{only} is the only feature; a pool has two or more", subject=only)
    path = Path(dataset_dir).expanduser() / f"{name.removesuffix('_task')}_task" / f"task{task_id}"
    if path.exists():
        raise UsageError(f"{path} already exists", subject=str(path), hint="choose another --task-id")
    try:
        _write(pool, path, name, task_id, given)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return read_task(path)


def _write(pool: FeaturePool, path: Path, name: str, task_id: int, given: Surrounding) -> None:
    if pool.files:
        path.mkdir(parents=True)
        for file, data in pool.files.items():
            target = path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    else:
        _make(pool, path, name, task_id, given)
    for number, feature in pool.features.items():
        folder = path / f"feature{number}"
        folder.mkdir(exist_ok=True)
        (folder / "feature.md").write_text(feature.text, encoding="utf-8")
        (folder / "feature.patch").write_bytes(feature.gold_patch)
        (folder / "tests.patch").write_bytes(feature.tests_patch)
        if feature.source:
            (folder / "instance.json").write_text(json.dumps(feature.source, indent=2) + "\n", encoding="utf-8")
    for script in path.glob("*.sh"):
        script.chmod(0o755)


def _make(pool: FeaturePool, path: Path, name: str, task_id: int, given: Surrounding) -> None:
    """Make the Dockerfile and the runner of a pool that brings neither."""
    test = given.test or (PYTEST if pool.pytest else None)
    if test is None:
        raise UsageError(
            "how the tests run is not known: they are not named as pytest names them", hint="--test COMMAND"
        )
    image = given.image or pool.image
    if given.repository is not None:
        new_task(
            path.parent.parent, name, repository=given.repository, commit=pool.base_commit or "HEAD", test=test,
            setup=given.setup or SETUP, task_id=task_id, features=len(pool.features), history=given.history,
        )  # fmt: skip
    elif image is not None:
        path.mkdir(parents=True)
        folder = given.image_folder or pool.image_folder
        text = _FROM_IMAGE.format(image=image, folder=folder, commit=pool.base_commit or "HEAD")
        (path / "Dockerfile").write_text(text, encoding="utf-8")
        (path / "run_tests.sh").write_text(f"#!/bin/bash\n{test}\n", encoding="utf-8")
    else:
        raise UsageError("the place of the repository is not known", hint="--repository CLONE or --image IMAGE")
    (path / "runner.sh").write_text(_RUNNER.format(test=test), encoding="utf-8")
