"""The folders `tests` and `solution` of a Harbor task: our verifier with what it needs, and the gold patches."""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from cooperbench.evaluation.rules import CONFIGURATION, METADATA, STARTS_BY_ITSELF, TEST_NAMES
from cooperbench.evaluation.stages import hidden_paths
from cooperbench.evaluation.suites import reporter_files
from cooperbench.evaluation.test_runners import runners_of
from cooperbench.tasks import Task

VERIFIER = Path(__file__).parent / "harbor_verifier"
_SOLVE = """\
#!/bin/sh
# Applies the gold solution.
here=$(cd "$(dirname "$0")" && pwd)
cd /workspace/repo || exit 1
for patch in {patches}; do
    git apply --whitespace=nowarn "$here/$patch" || git apply --whitespace=nowarn --3way "$here/$patch" || exit 1
done
"""


def write_tests(task: Task, features: Sequence[int], folder: Path, *, time_limit: float) -> None:
    """Write the verifier, the hidden tests and the gold patches, which Harbor uploads when the agent is done."""
    shutil.copytree(VERIFIER, folder)
    (folder / "test.sh").chmod(0o755)
    for name, data in reporter_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if name.endswith(".sh"):
            path.chmod(0o755)
    (folder / "runner.sh").write_bytes(task.runner)
    before = (line for runner in runners_of(task.runner) for line in runner.reporter)
    _write_lines(folder / "before.sh", dict.fromkeys(before))
    _write_lines(folder / "features", map(str, features))
    _write_lines(folder / "hidden", sorted(hidden_paths(task, features)))
    (folder / "time_limit").write_text(f"{time_limit:.0f}\n")
    _write_lines(folder / "configuration_names", map(_extended, CONFIGURATION))
    _write_lines(folder / "startup_names", [_extended(STARTS_BY_ITSELF)])
    _write_lines(folder / "metadata_names", [_extended(METADATA)])
    _write_lines(folder / "test_names", [_extended(TEST_NAMES[name]) for name in ("Go", "TypeScript/JavaScript")])
    for number in features:
        place = folder / f"feature{number}"
        place.mkdir()
        (place / "feature.md").write_bytes(task.features[number].description.encode())
        (place / "tests.patch").write_bytes(task.features[number].tests_patch)
        (place / "gold.patch").write_bytes(task.features[number].gold_patch)


def write_solution(task: Task, features: Sequence[int], folder: Path) -> None:
    """Write the gold patch of one feature, or what holds several: `combined.patch`, else their patches, each applied after the other.

    Gold patches that merge cleanly may still break each other, as those of features 1 and 3 of the bundled `ledgerkit` do.
    """
    folder.mkdir()
    patches = {f"feature{number}.patch": task.features[number].gold_patch for number in features}
    if len(features) > 1 and task.combined_patch is not None:
        patches = {"combined.patch": task.combined_patch}
    for name, patch in patches.items():
        (folder / name).write_bytes(patch)
    script = folder / "solve.sh"
    script.write_text(_SOLVE.format(patches=" ".join(patches)))
    script.chmod(0o755)


def _extended(pattern: re.Pattern[str]) -> str:
    """Return a pattern as POSIX's extended expressions have it."""
    return pattern.pattern.replace(r"\w", "[[:alnum:]_]").replace(r"\b", "")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
