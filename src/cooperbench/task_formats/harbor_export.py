"""Write tasks as folders of Harbor (https://harborframework.com): one agent in one container, judged in another by our own tests."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from cooperbench.collaboration.prompts import render_task
from cooperbench.collaboration.team_access import TeamAccess
from cooperbench.errors import UsageError
from cooperbench.records import TIME_LIMIT, Record, Setting
from cooperbench.records.paths import AnyPath
from cooperbench.task_formats.harbor_environment import COLLECT, write_environment
from cooperbench.task_formats.harbor_files import (
    HarborCollect,
    HarborMetadata,
    HarborPackage,
    HarborTaskFile,
    HarborVerifier,
)
from cooperbench.task_formats.harbor_tests import write_solution, write_tests
from cooperbench.tasks import Group, Task

NOT_EXPRESSED = (
    "coop and team: several agents, messages, the shared git repository and the task board (a task of Harbor has one agent)",
    "merging: stages, conflicts, policies, and each member's work alone",
    "proof of a pass: suites do not run again with broken tests",
    "names that the tests' source fixes: a case that did not run may be stood for by others of its function",
    "cleaning beyond names: stand-in modules, foreign code, test configuration inside pyproject.toml and the like, unit tests in Rust sources",
    "a verifier without a network: Harbor's Docker environment refuses it, unless its egress control is on",
    "limits on steps, tokens and cost, and what an episode records: give Harbor's own options",
)
"""What no folder of Harbor can say."""
NOTES = "not_expressed.txt"


class ExportedSetting(StrEnum):
    """What one task of Harbor is about."""

    SOLO = "solo"
    """All features of a group."""
    SINGLE = "single"
    """One feature."""


class HarborExport(Record):
    """What was written."""

    directory: Path
    tasks: tuple[str, ...]
    """The names of the folders."""
    not_expressed: tuple[str, ...]
    """One line for each thing that Harbor cannot express; also in `not_expressed.txt`."""


def export_harbor(
    groups: Sequence[Group],
    directory: AnyPath,
    *,
    setting: ExportedSetting,
    base_image: str | None = None,
    licence: str | None = None,
    time_limit: float = TIME_LIMIT,
) -> HarborExport:
    """Write a folder for each group, or for each of their features, into a new directory.

    `base_image` replaces the first image of Dockerfiles, `licence` is that of the tasks' texts and tests, and `time_limit` the seconds
    of one suite. Raises `UsageError` if the directory is there already, and `TaskError` for a task whose files are missing; then
    nothing is written.
    """
    target = Path(directory).expanduser()
    if target.exists():
        raise UsageError(f"{target} already exists", subject=str(target), hint="name a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    chosen = {_name(task, features): (task, features) for task, features in _chosen(groups, setting)}
    notes = _notes(groups, licence)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        place = Path(scratch) / "tasks"
        for name, (task, features) in chosen.items():
            folder = place / name
            folder.mkdir(parents=True)
            write_environment(task, folder / "environment", base_image=base_image)
            write_tests(task, features, folder / "tests", time_limit=time_limit)
            write_solution(task, features, folder / "solution")
            (folder / "instruction.md").write_text(_instruction(task, features), encoding="utf-8")
            described = _task_file(name, task, features, setting, licence, time_limit)
            (folder / "task.toml").write_text(described.text(), encoding="utf-8")
        (place / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
        shutil.move(place, target)
    return HarborExport(directory=target, tasks=tuple(chosen), not_expressed=notes)


def _chosen(groups: Sequence[Group], setting: ExportedSetting) -> list[tuple[Task, tuple[int, ...]]]:
    if setting is ExportedSetting.SOLO:
        return [(group.task, group.features) for group in groups]
    return [(group.task, (number,)) for group in groups for number in group.features]


def _name(task: Task, features: Sequence[int]) -> str:
    numbers = "-".join(f"f{number}" for number in features)
    repo = re.sub(r"[^A-Za-z0-9._-]+", "-", task.repo.removesuffix("_task")).strip("-._")
    return f"{repo}-{task.task_id}-{numbers}"


def _instruction(task: Task, features: Sequence[int]) -> str:
    """Return what an agent reads that works alone, in the same words as in an episode."""
    texts = {number: task.features[number].description for number in features}
    return render_task(texts, TeamAccess(agent_id="agent", agents=("agent",)), Setting.SOLO)


def _task_file(
    name: str, task: Task, features: Sequence[int], setting: ExportedSetting, licence: str | None, time_limit: float
) -> HarborTaskFile:
    chosen = {str(number): task.features[number] for number in features}
    return HarborTaskFile(
        task=HarborPackage(
            name=f"cooperbench/{name}",
            description="; ".join(feature.title for feature in chosen.values()),
            keywords=("cooperbench", setting.value),
        ),
        metadata=HarborMetadata(
            setting=setting.value,
            task=task.key,
            features=tuple(features),
            image=task.image,
            base_commit=task.recipe.base_commit,
            revision=task.revision,
            gold_sha256={number: _digest(feature.gold_patch) for number, feature in chosen.items()},
            tests_sha256={number: _digest(feature.tests_patch) for number, feature in chosen.items()},
            licence=_licence(task, licence),
        ),
        verifier=HarborVerifier(
            timeout_sec=2 * len(features) * time_limit + 120,  # each suite twice: on the gold patch, and on the work
            collect=(HarborCollect(command=COLLECT),),
        ),
    )


def _licence(task: Task, given: str | None) -> str:
    return given or ("MIT" if task.recipe.bundled else "unknown")


def _notes(groups: Sequence[Group], licence: str | None) -> tuple[str, ...]:
    tasks = {group.task.key: group.task for group in groups}
    notes = list(NOT_EXPRESSED)
    for key, task in tasks.items():
        if _licence(task, licence) == "unknown":
            notes.append(f"{key}: the licence is not known (--licence names it)")
        notes += [f"{key}, {folder}: {fault}" for folder, fault in task.faults.items()]
    return tuple(notes)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
