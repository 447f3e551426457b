"""Subsets: named selections of tasks and groups of features, in files `subsets/<name>.json` of a dataset."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cooperbench.errors import TaskError, UnknownNameError
from cooperbench.records import first_error, write_bytes
from cooperbench.records.paths import AnyPath

DEMO = "demo"
"""The subset of the tasks that CooperBench brings along."""


def _number(value: object) -> object:
    """Parse an id, which may be a number, a string, or the name of its directory."""
    return (
        value.strip().removeprefix("task").removeprefix("feature").removeprefix("f")
        if isinstance(value, str)
        else value
    )


Number = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Features = Annotated[tuple[Number, ...], Field(min_length=1)]


class SubsetEntry(BaseModel):
    """One task of a subset. Without pairs and groups it selects all of them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    repo: str
    task_id: Number
    pairs: tuple[Features, ...] | None = None
    groups: tuple[Features, ...] | None = None

    def groups_of(self, size: int) -> tuple[tuple[int, ...], ...] | None:
        """Return the selected groups of `size` features, or `None` for all."""
        if self.pairs is None and self.groups is None:
            return None
        selected = (*(self.pairs or ()), *(self.groups or ()))
        return tuple(group for group in selected if len(group) == size)


class Subset(BaseModel):
    """A named selection of tasks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = ""
    description: str = ""
    stats: dict[str, Any] = Field(default_factory=dict)
    tasks: tuple[SubsetEntry, ...]

    def entry(self, repo: str, task_id: int) -> SubsetEntry | None:
        """Return the entry of a task; `None` when the subset does not contain it."""
        name = repo.removesuffix("_task")
        return next((e for e in self.tasks if e.repo.removesuffix("_task") == name and e.task_id == task_id), None)


def subset_names(dataset_dir: AnyPath) -> list[str]:
    """Return the names of the subsets of a dataset."""
    return sorted(path.stem for path in (Path(dataset_dir) / "subsets").glob("*.json"))


def read_subset(dataset_dir: AnyPath, name: str) -> Subset:
    """Read `subsets/<name>.json`. Raises `UnknownNameError`, or `TaskError` when the file is malformed."""
    path = Path(dataset_dir) / "subsets" / f"{name}.json"
    if name not in subset_names(dataset_dir):
        known = dict.fromkeys([*subset_names(dataset_dir), DEMO])
        raise UnknownNameError("subset", name, known, hint=f"subsets are in {path.parent}; demo has the bundled tasks")
    try:
        return Subset.model_validate_json(path.read_bytes())
    except ValidationError as error:
        place, message = first_error(error)
        raise TaskError(f"{path} is not a valid subset: {place or 'the file'}: {message}", subject=str(path)) from error


def write_subset(dataset_dir: AnyPath, subset: Subset) -> Path:
    """Write `subsets/<name>.json` and return its path."""
    path = Path(dataset_dir) / "subsets" / f"{subset.name}.json"
    text = json.dumps(subset.model_dump(mode="json", exclude_none=True), indent=2)
    write_bytes(path, f"{text}\n".encode())
    return path
