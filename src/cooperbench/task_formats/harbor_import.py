"""Read folders of Harbor as features: those that CooperBench exported, and those made of SWE-bench's instances.

A task of Harbor is judged by a program, which in general does not say which of its files are tests and which command runs them. In these two
kinds it does: ours have the hidden tests as a patch, and Harbor's adapter of SWE-bench keeps the row in `tests/config.json`.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cooperbench.errors import TaskError, UsageError
from cooperbench.records import first_error
from cooperbench.task_formats.harbor_environment import STEPS_BEGIN
from cooperbench.task_formats.harbor_files import HarborMetadata, HarborSource, read_task_file
from cooperbench.task_formats.pools import FeaturePool, PoolFeature
from cooperbench.task_formats.swebench import SweInstance, instance_of, pool_of_instances, task_name


def pool_of_folders(paths: Sequence[Path], base_commit: str | None = None) -> FeaturePool:
    """Make a pool of task folders, or of folders of them. Raises `TaskError` for the first that cannot be a feature of it."""
    folders = [folder for path in paths for folder in _folders(path)]
    files = [read_task_file(folder / "task.toml") for folder in folders]
    exported = [isinstance(file.metadata.get("gold_sha256"), dict) for file in files]
    if all(exported):
        if base_commit is not None:
            raise UsageError("folders that CooperBench exported have one base", hint="omit --base-commit")
        return _exported(folders, files)
    if any(exported):
        other = folders[exported.index(False)]
        raise TaskError(f"{other} is not of one pool with {folders[exported.index(True)]}", subject=str(other))
    instances = [_instance(folder) for folder in folders]
    pool = pool_of_instances(instances, base_commit)
    image, place = _image(folders[0], files[0])
    return FeaturePool(pool.name, pool.features, pool.base_commit, pool.pytest, {}, image, place)


def _folders(path: Path) -> list[Path]:
    if (path / "task.toml").is_file():
        return [path]
    found = sorted(each.parent for each in path.glob("*/task.toml"))
    if not found:
        raise TaskError(f"{path} has no task.toml, and no folder with one", subject=str(path))
    return found


def _exported(folders: Sequence[Path], files: Sequence[HarborSource]) -> FeaturePool:
    """Join folders that CooperBench wrote. They have to come from one revision of one task."""
    features: dict[int, PoolFeature] = {}
    known = [_metadata(folder, file) for folder, file in zip(folders, files, strict=True)]
    first = known[0]
    for folder, found in zip(folders, known, strict=True):
        if (found.task, found.revision) != (first.task, first.revision):
            raise TaskError(
                f"{folder} is of another base than {folders[0]}: {found.task} {found.revision[:12]}, "
                f"not {first.task} {first.revision[:12]}",
                subject=str(folder),
            )
        for number in found.features:
            place = folder / "tests" / f"feature{number}"
            text = _read(place / "feature.md")
            gold, tests = _bytes(place / "gold.patch"), _bytes(place / "tests.patch")
            features[number] = PoolFeature(f"{folder.name}, feature {number}", text, gold, tests)
    for number, feature in features.items():
        if not (feature.gold_patch.strip() and feature.tests_patch.strip()):
            what = "gold patch" if not feature.gold_patch.strip() else "tests"
            raise TaskError(f"feature {number} has no {what}", subject=feature.name)
    name = task_name(first.task.split("/")[0].removesuffix("_task"))
    return FeaturePool(name, dict(sorted(features.items())), first.base_commit, files=_task_files(folders))


def _metadata(folder: Path, file: HarborSource) -> HarborMetadata:
    """Check what an export wrote about the task."""
    try:
        return HarborMetadata.model_validate(file.metadata)
    except ValidationError as error:
        place, message = first_error(error)
        raise TaskError(f"{folder / 'task.toml'}: metadata.{place}: {message}", subject=str(folder)) from error


def _task_files(folders: Sequence[Path]) -> dict[str, bytes]:
    """Return the files of the task itself, as the export found them."""
    folder = folders[0]
    environment = folder / "environment"
    files = {
        path.relative_to(environment).as_posix(): path.read_bytes()
        for path in sorted(environment.rglob("*"))
        if path.is_file() and not path.is_symlink() and "cooperbench" not in path.relative_to(environment).parts
    }
    files["Dockerfile"] = _bytes(environment / "Dockerfile").split(STEPS_BEGIN.encode())[0].rstrip() + b"\n"
    files["runner.sh"] = _bytes(folder / "tests" / "runner.sh")
    for combined in (each / "solution" / "combined.patch" for each in folders):
        if combined.is_file():
            files["combined.patch"] = combined.read_bytes()
    return files


def _instance(folder: Path) -> SweInstance:
    """Read the row of SWE-bench that Harbor's adapter keeps."""
    path = folder / "tests" / "config.json"
    if not path.is_file():
        raise TaskError(
            f"{folder} was neither exported by CooperBench nor made of SWE-bench: its tests are a program, not a patch",
            subject=str(folder),
        )
    try:
        row: Any = json.loads(_read(path))
    except ValueError as error:
        raise TaskError(f"{path} is not JSON: {error}", subject=str(path)) from error
    return instance_of(row, str(path))


def _image(folder: Path, file: HarborSource) -> tuple[str | None, str]:
    """Return the image of a folder, and where the repository is in it."""
    dockerfile = folder / "environment" / "Dockerfile"
    text = _read(dockerfile) if dockerfile.is_file() else ""
    built_on = re.search(r"(?mi)^FROM\s+(\S+)", text)
    folders = re.findall(r"(?mi)^WORKDIR\s+(\S+)", text)
    image = file.environment.docker_image or (built_on.group(1) if built_on else None)
    return image, folders[-1] if folders else "/testbed"


def _read(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}", subject=str(path)) from error
