"""What is to be done: datasets, discovery, subsets, images' names, and the bundled demo tasks."""

from cooperbench.tasks.dataset import discover_groups, discover_tasks, find_dataset, read_task
from cooperbench.tasks.images import image_name
from cooperbench.tasks.subsets import Subset, SubsetEntry, read_subset, subset_names, write_subset
from cooperbench.tasks.task import Feature, Group, Task

__all__ = [
    "Feature",
    "Group",
    "Subset",
    "SubsetEntry",
    "Task",
    "discover_groups",
    "discover_tasks",
    "find_dataset",
    "image_name",
    "read_subset",
    "read_task",
    "subset_names",
    "write_subset",
]
