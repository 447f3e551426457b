"""What is to be done: datasets, discovery, subsets, images' names, validation, and the bundled demo tasks."""

from cooperbench.tasks.task import Feature, Task

__all__ = ["Feature", "Task"]
