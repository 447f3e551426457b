"""What is to be done: a repository at one commit, a pool of features, and how their tests are run."""

from dataclasses import dataclass
from pathlib import Path

from cooperbench.records import ImageRecipe


@dataclass(frozen=True)
class Feature:
    """One feature of a task: what the agent reads, the gold patch, and the hidden tests."""

    number: int
    path: Path

    @property
    def description(self) -> str:
        """`feature.md`, the text that the agent sees."""
        return (self.path / "feature.md").read_text(encoding="utf-8")

    @property
    def gold_patch(self) -> bytes:
        """`feature.patch`."""
        return (self.path / "feature.patch").read_bytes()

    @property
    def tests_patch(self) -> bytes:
        """`tests.patch`, the hidden tests."""
        return (self.path / "tests.patch").read_bytes()


@dataclass(frozen=True)
class Task:
    """One task of a dataset, addressed `repo/task_id`, lying in a folder of the published layout."""

    repo: str
    """Name of the repository's folder, such as `pallets_click_task`."""
    task_id: int
    path: Path
    image: str
    """What its environments start from: an image name, or for bundled tasks `demo:<repo>-<task_id>`."""
    recipe: ImageRecipe
    """How to build that image where it cannot be pulled."""
    features: dict[int, Feature]

    @property
    def key(self) -> str:
        """`repo/task_id`."""
        return f"{self.repo}/{self.task_id}"
