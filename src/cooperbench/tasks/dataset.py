"""Find tasks and groups of features in a dataset of the published layout, and draw subsets of them.

<dataset>/<name>_task/task<ID>/   runner.sh  run_tests.sh  Dockerfile  combined.patch
                                  feature<N>/{feature.md, feature.patch, tests.patch}
<dataset>/subsets/<subset>.json
"""

import os
import random
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from cooperbench.errors import TaskError, UnknownNameError, UsageError, suggestion
from cooperbench.records.paths import AnyPath
from cooperbench.tasks.images import REPOSITORY_FILES, bundled_image_name, image_name, image_recipe
from cooperbench.tasks.subsets import DEMO, Subset, SubsetEntry, read_subset
from cooperbench.tasks.task import Feature, Group, Task

BUNDLED_DATASET = Path(__file__).parent / "demo"
FEATURE_FILES = ("feature.md", "feature.patch", "tests.patch")


def find_dataset(dataset_dir: AnyPath | None = None, *, subset: str | None = None) -> Path:
    """Return the directory of the dataset: the bundled one for the subset `demo`, else the one given, or its default.

    The default is `$COOPERBENCH_DATASET_DIR`, or `./dataset`. Raises `UsageError` when the directory does not exist.
    """
    if subset == DEMO:
        return BUNDLED_DATASET
    path = Path(dataset_dir).expanduser() if dataset_dir else _default_dataset()
    if not path.is_dir():
        hint = "cooperbench prepare, or --dataset-dir DIR, or -s demo for the bundled tasks"
        meant = "" if subset is None else suggestion(subset, [DEMO], "")
        raise UsageError(f"there is no dataset at {path}{meant}", subject=str(path), hint="-s demo" if meant else hint)
    # A clone of the published project has the dataset one directory below.
    inner = path / "dataset"
    return (inner if inner.is_dir() and not any(path.glob("*_task")) else path).resolve()


def _default_dataset() -> Path:
    return Path(os.environ.get("COOPERBENCH_DATASET_DIR", "dataset")).expanduser()


class FoundTasks(NamedTuple):
    """The tasks that pass the filters, and what had to be left out."""

    tasks: list[Task]
    left_out: tuple[str, ...]
    """One line for each task or feature, with the reason."""


def discover_tasks(
    dataset_dir: AnyPath | None = None,
    subset: str | None = None,
    repo: str | None = None,
    task: int | str | None = None,
    task_id: int | str | None = None,
) -> list[Task]:
    """Return the tasks that pass all filters, ordered by repository and number.

    `repo` may omit `_task`. `task_id` is another name for `task`. Tasks and features whose files cannot be used are left out;
    `find_tasks` says which. Raises `UnknownNameError` when a filter matches nothing, and `TaskError` when no task can be used.
    """
    return find_tasks(dataset_dir, subset, repo, one_task(task, task_id)).tasks


def find_tasks(
    dataset_dir: AnyPath | None = None,
    subset: str | None = None,
    repo: str | None = None,
    task: int | str | None = None,
) -> FoundTasks:
    """Return the tasks that pass all filters, and what was left out. Raises as `discover_tasks` does."""
    root = find_dataset(dataset_dir, subset=subset)
    folders = _filtered(root, subset, repo, task)
    tasks, left_out = [], []
    for (name, number), path in folders.items():
        try:
            found = read_task(path, bundled=root == BUNDLED_DATASET)
        except TaskError as error:
            if len(folders) == 1:
                raise
            left_out.append(f"{name}/{number}: {error.message}")
        else:
            tasks.append(found)
            left_out += [f"{found.key}, {folder}: {fault}" for folder, fault in found.faults.items()]
    if not tasks:
        raise TaskError(f"no task can be used; {left_out[0]}", subject=str(root))
    return FoundTasks(tasks, tuple(left_out))


def find_task(key: str, dataset_dir: AnyPath | None = None, subset: str | None = None) -> Task:
    """Return the task `repo/task_id`, or the first one of `repo`. Where the user named no dataset, bundled tasks are found too.

    Raises `UnknownNameError` when there is none.
    """
    repo, _, number = key.partition("/")
    if dataset_dir is None and subset is None:
        bundled = {name.removesuffix("_task") for name, _ in _task_folders(BUNDLED_DATASET)}
        if repo.removesuffix("_task") in bundled or not _default_dataset().is_dir():
            subset = DEMO
    return discover_tasks(dataset_dir, subset, repo, number or None)[0]


def _filtered(root: Path, subset: str | None, repo: str | None, task: int | str | None) -> dict[tuple[str, int], Path]:
    folders = _task_folders(root)
    if not folders:
        raise UsageError(f"{root} has no tasks", subject=str(root), hint="put tasks in <name>_task/task<ID>/")
    if subset is not None:
        folders = _of_subset(root, subset, folders)
    if repo is not None:
        wanted = repo.removesuffix("_task")
        names = sorted({name for name, _ in folders})
        folders = {key: path for key, path in folders.items() if key[0].removesuffix("_task") == wanted}
        if not folders:
            raise UnknownNameError("repository", repo, names, hint=_where(root, subset))
    if task is not None:
        number = _task_number(task)
        keys = [f"{name}/{task_id}" for name, task_id in folders]
        folders = {key: path for key, path in folders.items() if key[1] == number}
        if not folders:
            raise UnknownNameError("task", number, keys, hint=_where(root, subset))
    return folders


def read_task(path: AnyPath, *, bundled: bool = False) -> Task:
    """Read the directory `<name>_task/task<ID>` of one task. Raises `TaskError` when none of its features can be used."""
    path = Path(path)
    repo, task_id = path.parent.name, int(path.name.removeprefix("task"))
    features: dict[int, Feature] = {}
    faults: dict[str, str] = {}
    for folder in sorted(each for each in path.glob("feature*") if each.is_dir()):
        number = folder.name.removeprefix("feature")
        if fault := _fault(folder):
            faults[folder.name] = fault
        else:
            features[int(number)] = Feature(int(number), folder)
    if not features:
        reason = "".join(f"; {folder}: {fault}" for folder, fault in list(faults.items())[:1])
        raise TaskError(f"{path} has no features{reason}", subject=str(path), hint="put features in feature<N>/")
    own = any((path / name).is_file() for name in REPOSITORY_FILES)
    image = bundled_image_name(repo, task_id) if bundled else image_name(repo, task_id, own=own)
    recipe = image_recipe(image, path, bundled=bundled)
    return Task(repo, task_id, path, image, recipe, {number: features[number] for number in sorted(features)}, faults)


def _fault(folder: Path) -> str | None:
    """Say why the folder of a feature cannot be used; `None` if it can."""
    if not re.fullmatch(r"feature(0|[1-9]\d*)", folder.name):
        return "the folder of a feature is called feature<N>"
    for name in FEATURE_FILES:
        try:
            with (folder / name).open("rb") as file:
                file.read(1)
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def discover_groups(
    tasks: Sequence[Task],
    *,
    features: tuple[int, ...] | None = None,
    subset: str | None = None,
    size: int = 2,
) -> list[Group]:
    """Return the groups of features for episodes: those of the subset, or all of `size` features, or only `features`.

    Raises `UsageError` when nothing matches, and when a feature is named twice or does not exist.
    """
    if features is not None:
        return _groups_of_features(tasks, features, subset)
    groups = [Group(task, numbers) for task in tasks for numbers in _groups_of_task(task, subset, size)]
    if not groups:
        left_out = [f"; {task.key}, {folder}: {fault}" for task in tasks for folder, fault in task.faults.items()]
        raise UsageError(
            f"no task has a group of {size} features{''.join(left_out[:3])}", hint="cooperbench tasks list"
        )
    return groups


def sample_pairs(tasks: Sequence[Task], *, pairs: int, seed: int, name: str) -> Subset:
    """Draw a subset of `pairs` pairs from all pairs of the tasks, each with the same probability.

    The same tasks, number and seed give the same subset. Raises `UsageError` when there are not that many pairs.
    """
    groups = discover_groups(tasks)
    if not 0 < pairs <= len(groups):
        raise UsageError(f"cannot draw {pairs} pairs: there are {len(groups)}", hint=f"--pairs 1 to {len(groups)}")
    chosen: dict[tuple[str, int], list[tuple[int, ...]]] = {}
    for group in random.Random(seed).sample(groups, pairs):
        chosen.setdefault((group.task.repo, group.task.task_id), []).append(group.features)
    entries = tuple(
        SubsetEntry(repo=repo, task_id=task_id, pairs=tuple(sorted(chosen[repo, task_id])))
        for repo, task_id in sorted(chosen)
    )
    stats = {"tasks": len(entries), "pairs": pairs, "repos": len({entry.repo for entry in entries})}
    return Subset(name=name, description=f"{pairs} pairs drawn with seed {seed}", stats=stats, tasks=entries)


def _groups_of_task(task: Task, subset: str | None, size: int) -> list[tuple[int, ...]]:
    entry = read_subset(task.dataset_dir, subset).entry(task.repo, task.task_id) if subset else None
    selected = entry.groups_of(size) if entry else None
    if selected is None:
        return list(combinations(task.features, size))
    selected = tuple(group for group in selected if not any(f"feature{number}" in task.faults for number in group))
    unknown = sorted({number for group in selected for number in group} - set(task.features))
    if unknown:
        file = task.dataset_dir / "subsets" / f"{subset}.json"
        raise TaskError(f"{file} names features that {task.key} does not have: {unknown}", subject=str(file))
    return sorted({tuple(sorted(group)) for group in selected})


def _groups_of_features(tasks: Sequence[Task], features: tuple[int, ...], subset: str | None) -> list[Group]:
    if len(set(features)) != len(features):
        twice = next(number for number in features if features.count(number) > 1)
        raise UsageError(f"feature {twice} is named twice", subject=str(twice))
    wanted = tuple(sorted(features))
    having = [task for task in tasks if set(wanted) <= set(task.features)]
    if not having:
        for task in tasks:
            for number in wanted:
                if fault := task.faults.get(f"feature{number}"):
                    raise UsageError(f"feature {number} of {task.key} cannot be used: {fault}", subject=str(task.path))
        known = sorted({number for task in tasks for number in task.features})
        missing = next((number for number in wanted if number not in known), None)
        if missing is not None:
            raise UnknownNameError(
                "feature", missing, known, hint=f"cooperbench tasks show {tasks[0].key}" if tasks else None
            )
        raise UsageError(f"no task has all of the features {_listed(wanted)}", hint="cooperbench tasks list")
    groups = [
        Group(task, wanted) for task in having if subset is None or wanted in _groups_of_task(task, subset, len(wanted))
    ]
    if not groups:
        raise UsageError(f"subset {subset!r} has no group of the features {_listed(wanted)}", hint="omit -s or -f")
    return groups


def _task_folders(root: Path) -> dict[tuple[str, int], Path]:
    found = {}
    for path in root.glob("*_task/task*"):
        if path.is_dir() and re.fullmatch(r"task\d+", path.name):
            found[path.parent.name, int(path.name[4:])] = path
    return dict(sorted(found.items()))


def _of_subset(root: Path, name: str, folders: dict[tuple[str, int], Path]) -> dict[tuple[str, int], Path]:
    subset = read_subset(root, name)
    selected = {key: path for key, path in folders.items() if subset.entry(*key)}
    present = {(repo.removesuffix("_task"), task_id) for repo, task_id in selected}
    absent = [entry for entry in subset.tasks if (entry.repo.removesuffix("_task"), entry.task_id) not in present]
    if absent:
        file = root / "subsets" / f"{name}.json"
        listed = ", ".join(f"{entry.repo}/{entry.task_id}" for entry in absent[:5])
        raise TaskError(
            f"{file} names tasks that are not in {root} ({len(absent)}): {listed}",
            subject=str(file),
            hint="cooperbench prepare",
        )
    return selected


def one_task(task: int | str | None, task_id: int | str | None) -> int | str | None:
    """Return the task that either name gives. Raises `UsageError` if both are given and differ."""
    if task is not None and task_id is not None and _task_number(task) != _task_number(task_id):
        raise UsageError(
            f"task={task} and task_id={task_id} name two tasks", subject="task_id", hint="pass one of them"
        )
    return task_id if task is None else task


def _task_number(task: int | str) -> int:
    text = str(task).strip().removeprefix("task")
    if not text.isdecimal():
        raise UsageError(f"task {task!r} is not a number", subject=str(task), hint="cooperbench tasks list")
    return int(text)


def _where(root: Path, subset: str | None) -> str:
    """Return the command that lists the tasks."""
    place = "" if subset == DEMO else f" --dataset-dir {root}"
    return "cooperbench tasks list" + (f" -s {subset}" if subset else "") + place


def _listed(features: tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in features)
