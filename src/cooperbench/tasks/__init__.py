"""Tasks: datasets, discovery, subsets, names of images, and the bundled demo tasks."""

from cooperbench.tasks.dataset import (
    FoundTasks,
    discover_groups,
    discover_tasks,
    find_dataset,
    find_task,
    find_tasks,
    read_task,
    sample_pairs,
)
from cooperbench.tasks.hub import HUB_DATASET, DatasetManifest, prepare_dataset, read_manifest
from cooperbench.tasks.images import image_name
from cooperbench.tasks.skeleton import new_task
from cooperbench.tasks.subsets import Subset, SubsetEntry, read_subset, subset_names, write_subset
from cooperbench.tasks.task import Feature, Group, Task

__all__ = [
    "HUB_DATASET",
    "DatasetManifest",
    "Feature",
    "FoundTasks",
    "Group",
    "Subset",
    "SubsetEntry",
    "Task",
    "discover_groups",
    "discover_tasks",
    "find_dataset",
    "find_task",
    "find_tasks",
    "image_name",
    "new_task",
    "prepare_dataset",
    "read_manifest",
    "read_subset",
    "read_task",
    "sample_pairs",
    "subset_names",
    "write_subset",
]
