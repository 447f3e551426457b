"""The base tree of a task, in a bare repository on the host; taken from the image once and kept.

Merging needs the base's content but no sandbox. The tree is the one that environments pin at the start of an episode, so
submissions apply to it exactly.
"""

import hashlib
import os
import shutil
import tempfile
import threading
from collections import defaultdict
from pathlib import Path

from cooperbench.environments import EnvironmentOptions, SandboxLabels, open_environment
from cooperbench.environments.images import ensure_image
from cooperbench.environments.worktree import pin_base
from cooperbench.errors import EvaluationError
from cooperbench.evaluation.git import open_store
from cooperbench.records import Record, cache_dir, read_model, write_model
from cooperbench.tasks import Task

LAYOUT = "1"
_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
_without_digest: dict[str, "Base"] = {}


class BaseRecord(Record):
    """`base.json` beside a cached store."""

    image: str
    image_digest: str | None
    tree: str


class Base:
    """The base tree of a task's image."""

    def __init__(self, store: Path, record: BaseRecord) -> None:
        self.store = store
        self.tree = record.tree
        self.image_digest = record.image_digest


def base_of(task: Task, backend: str) -> Base:
    """The base of a task on a backend; starts a sandbox only when this image was never seen.

    Raises `ImageError` when the image is not there, and the other classes below `SandboxError`.
    """
    digest = ensure_image(backend, task.recipe)
    if digest is None:
        name = f"{backend} {task.image}"
        if name not in _without_digest:
            _without_digest[name] = _take(task, backend, None, Path(tempfile.mkdtemp(prefix="cooperbench-base-")))
        return _without_digest[name]
    key = hashlib.sha256(f"{LAYOUT}\0{task.image}\0{digest}".encode()).hexdigest()[:32]
    folder = cache_dir() / "bases" / key
    with _locks[folder]:
        if (folder / "base.json").is_file():
            return Base(folder / "store", read_model(folder / "base.json", BaseRecord))
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
        try:
            base = _take(task, backend, digest, scratch)
            # Another process may have been faster; both made the same.
            if not folder.exists():
                os.replace(scratch, folder)  # noqa: PTH105
                base.store = folder / "store"
            else:
                base.store = folder / "store"
                shutil.rmtree(scratch, ignore_errors=True)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return base


def base_of_repository(repository: Path, commit: str) -> Base:
    """The base in a local clone, for git work that needs no image. Raises `EvaluationError` when the commit is not there."""
    git_dir = repository / ".git" if (repository / ".git").is_dir() else repository
    with open_store(git_dir) as store:
        output = store.run("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}")
    if output.code != 0:
        raise EvaluationError(f"{repository} has no commit {commit}", subject=str(repository), hint="git fetch")
    return Base(git_dir, BaseRecord(image="", image_digest=None, tree=output.stdout.decode().strip()))


def _take(task: Task, backend: str, digest: str | None, folder: Path) -> Base:
    labels = SandboxLabels(run="evaluation", episode=task.key, agent_id="base")
    with open_environment(backend, task.image, options=EnvironmentOptions(lifetime=600), labels=labels) as environment:
        tree = pin_base(environment, folder / "store")
    record = BaseRecord(image=task.image, image_digest=digest, tree=tree)
    write_model(folder / "base.json", record)
    return Base(folder / "store", record)
