"""The groups of a data set as a taskset of `verifiers`."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from cooperbench.errors import MissingExtraError
from cooperbench.tasks import discover_groups, discover_tasks, find_dataset

try:
    import verifiers.v1 as vf
except ImportError as error:
    raise MissingExtraError("an environment of verifiers", "verifiers") from error


class CoopTaskData(vf.TaskData):  # type: ignore[misc, unused-ignore]
    """One group of features, as verifiers records it."""

    task: str
    """`repo/task_id`."""
    features: tuple[int, ...]
    dataset_dir: str


class CoopTask(vf.Task[CoopTaskData]):  # type: ignore[misc, unused-ignore]
    """A group of features for a team. Its rewards come from the rollout."""


class CoopTasksetConfig(vf.TasksetConfig):  # type: ignore[misc, unused-ignore]
    """The groups to train on. Without a `dataset_dir`, those of the bundled tasks."""

    dataset_dir: Path | None = None
    subset: str | None = None
    repo: str | None = None
    size: int = Field(2, ge=1)
    """Features in a group, where no subset decides it."""


class CoopTaskset(vf.Taskset[CoopTask, CoopTasksetConfig]):  # type: ignore[misc, unused-ignore]
    """All groups of a data set or subset."""

    def load(self) -> Iterable[CoopTask]:
        """Yield a task for each group."""
        chosen = self.config
        subset = chosen.subset or (None if chosen.dataset_dir else "demo")
        place = str(find_dataset(chosen.dataset_dir, subset=subset))
        tasks = discover_tasks(chosen.dataset_dir, subset, chosen.repo)
        for group in discover_groups(tasks, subset=subset, size=chosen.size):
            texts = [group.task.features[feature].description for feature in group.features]
            yield CoopTask(
                CoopTaskData(
                    name=group.key,
                    task=group.task.key,
                    features=group.features,
                    dataset_dir=place,
                    prompt="\n\n".join(texts),  # verifiers wants one; members get theirs from the rollout
                ),
                chosen.task,
            )
