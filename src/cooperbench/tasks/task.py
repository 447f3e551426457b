"""A task: a repository at one commit, a pool of features, and the command that runs their tests."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cooperbench.errors import TaskError
from cooperbench.records import ImageRecipe


@dataclass(frozen=True)
class Feature:
    """One feature of a task: what the agent reads, the gold patch, and the hidden tests."""

    number: int
    path: Path

    @property
    def description(self) -> str:
        """`feature.md`, the text that the agent reads."""
        return _read(self.path / "feature.md").decode("utf-8", "replace")

    @property
    def title(self) -> str:
        """The title in `feature.md`: its line `**Title**:`, else its first line."""
        lines = [line.strip() for line in self.description.splitlines() if line.strip()]
        named = (line.removeprefix("**Title**").lstrip(": ") for line in lines if line.startswith("**Title**"))
        return next(named, lines[0].lstrip("# ") if lines else "")[:200]

    @property
    def gold_patch(self) -> bytes:
        """`feature.patch`."""
        return _read(self.path / "feature.patch")

    @property
    def tests_patch(self) -> bytes:
        """`tests.patch`, the hidden tests."""
        return _read(self.path / "tests.patch")


@dataclass(frozen=True)
class Task:
    """One task of a dataset, addressed as `repo/task_id`, in a directory of the published layout."""

    repo: str
    """Name of the repository's directory, such as `pallets_click_task`."""
    task_id: int
    path: Path
    image: str
    """The image of its sandboxes; for bundled tasks `demo:<repo>-<task_id>`."""
    recipe: ImageRecipe
    """The recipe of the image, for where it cannot be pulled."""
    features: dict[int, Feature]
    faults: dict[str, str] = field(default_factory=dict)
    """The folders of features that cannot be used, and why."""

    @property
    def key(self) -> str:
        """`repo/task_id`."""
        return f"{self.repo}/{self.task_id}"

    @property
    def dataset_dir(self) -> Path:
        """The directory of the dataset, which also holds `subsets`."""
        return self.path.parent.parent

    @property
    def runner(self) -> bytes:
        """`runner.sh`, which applies patches inside the image and runs the tests."""
        return _read(self.path / "runner.sh")

    @property
    def combined_patch(self) -> bytes | None:
        """`combined.patch`, which holds all features; `None` when the task has none."""
        path = self.path / "combined.patch"
        return path.read_bytes() if path.is_file() else None

    @cached_property
    def revision(self) -> str:
        """Digest of every file of the task: a change of a text, patch, test or runner is a new revision."""
        digest = hashlib.sha256()
        for path in sorted(self.path.rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(self.path).as_posix()}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Group:
    """The features of one task that an episode is about."""

    task: Task
    features: tuple[int, ...]

    @property
    def key(self) -> str:
        """`repo/task_id/f1_f2`."""
        return f"{self.task.key}/" + "_".join(f"f{feature}" for feature in self.features)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror or error}", subject=str(path)) from error
