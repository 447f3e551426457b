"""Keep the base tree of each task in a bare repository on the host, taken from the image once.

Merging needs the base's content but no sandbox. The tree is the one that environments pin at the start of an episode, so
submissions apply to it exactly.
"""

import tempfile
from pathlib import Path

from cooperbench._git import Git
from cooperbench.environments import EnvironmentOptions, SandboxLabels, ensure_image, open_environment
from cooperbench.environments.bases import ensure_base, find_base
from cooperbench.environments.worktree import pin_base
from cooperbench.errors import EvaluationError
from cooperbench.evaluation.check_in import check_in
from cooperbench.evaluation.git import GitStore
from cooperbench.records import scratch_dir
from cooperbench.records.paths import AnyPath
from cooperbench.tasks import Task

_GIT = Git(EvaluationError)
_without_digest: dict[str, "Base"] = {}


class Base:
    """The base tree of a task's image."""

    def __init__(
        self,
        store: Path,
        tree: str,
        image_digest: str | None = None,
        folder: "tempfile.TemporaryDirectory[str] | None" = None,
    ) -> None:
        self.store = store
        self.tree = tree
        self.image_digest = image_digest
        self._folder = folder  # removed with the process

    def checked_in(self, store: GitStore) -> "Base":
        """Return this base as git keeps it, in an open store of it."""
        return Base(self.store, check_in(store, self.tree), self.image_digest, self._folder)


def base_of(task: Task, backend: str) -> Base:
    """Return the base of a task on a backend. Starts a sandbox only for an image that was never seen.

    Raises `ImageError` if the image is missing, and the other classes below `SandboxError`.
    """
    options = EnvironmentOptions(lifetime=600)
    digest = ensure_image(backend, task.recipe)
    name = f"{backend} {task.image}"
    if digest is None and name in _without_digest:
        return _without_digest[name]
    if digest is not None and (found := find_base(task.image, digest, options.cwd)) is not None:
        return Base(found.store, found.tree, digest)
    labels = SandboxLabels(run="evaluation", episode=task.key, agent_id="base")
    with open_environment(backend, task.image, options=options, labels=labels) as environment:
        kept = ensure_base(environment)
        if kept is not None:
            return Base(kept.store, kept.tree, kept.image_digest)
        folder = tempfile.TemporaryDirectory(prefix="cooperbench-base-", dir=scratch_dir(), ignore_cleanup_errors=True)
        store = Path(folder.name) / "store"
        base = _without_digest[name] = Base(store, pin_base(environment, store), folder=folder)
        return base


def base_of_repository(repository: AnyPath, commit: str) -> Base:
    """Return the base in a local clone, for git work without an image. Raises `EvaluationError` with the remedy if it lacks the commit."""
    repository = Path(repository).expanduser().resolve()  # git runs in another folder
    _GIT.require_commit(repository, commit)
    store = Path(_GIT.run("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=repository).text)
    return Base(store, _GIT.run("rev-parse", "--verify", f"{commit}^{{tree}}", cwd=store).text)
