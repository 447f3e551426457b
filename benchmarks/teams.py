"""Scripted teams of any number and length, for measuring the harness: the model does nothing but take its time."""

import shutil
from pathlib import Path

import yaml

from cooperbench.environments import build_image
from cooperbench.tasks import discover_tasks, find_dataset

PAIRS_OF_A_TASK = 21


def write_script(path: Path, *, turns: int, delay: float) -> str:
    """Each member runs a command in each of its turns; returns the model's name."""
    call = {"name": "bash", "arguments": {"command": "true"}}
    working = {"text": "Next.", "tool_calls": [call], "delay": delay, "cost": 0.0}
    last = {"text": "Done.", "tool_calls": [{"name": "submit", "arguments": {}}], "delay": delay, "cost": 0.0}
    script = {"members": {name: [*[working] * (turns - 1), last] for name in ("agent1", "agent2")}}
    path.write_text(yaml.safe_dump(script))
    return f"scripted/{path}"


def write_dataset(path: Path, *, episodes: int) -> Path:
    """Write a dataset with at least that many pairs, copies of a bundled task, and build its images."""
    bundled = find_dataset(subset="demo")
    for number in range(1, -(-episodes // PAIRS_OF_A_TASK) + 1):
        shutil.copytree(bundled / "shelfdb_task" / "task1", path / "shelfdb_task" / f"task{number}")
    for task in discover_tasks(path):
        build_image("local", task.recipe)
    return path
