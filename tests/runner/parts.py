"""A small data set for tests that need many short episodes: one task whose features are files of their own."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cooperbench.environments import build_image
from cooperbench.tasks import Task, new_task

# Not pytest, which takes 0.4 s of processor time to start: a run of all pairs has some 60 suites.
TEST = """from unittest import TestCase

from part{number} import NUMBER


class Number(TestCase):
    def test_number(self):
        self.assertEqual(NUMBER, {number})
"""
IDENTITY = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def write_parts(
    path: Path, features: int, backend: str = "local", pairs: Sequence[tuple[int, int]] | None = None
) -> Task:
    """A task with so many features, in a data set at `path`, and its image. Agents play it with `plays_its_part`.

    With `pairs` there is a subset `chosen` that has those only.
    """
    clone = path.parent / f"{path.name}-clone"
    clone.mkdir()
    (clone / "title.txt").write_text("untitled\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Begin"]):
        subprocess.run(["git", "-C", str(clone), *command], check=True, env=os.environ | IDENTITY)
    task = new_task(
        path,
        "parts",
        repository=clone,
        commit="HEAD",
        test="python3 -m unittest discover -s tests",
        setup="true",
        features=features,
    )
    for number in task.features:
        folder = task.path / f"feature{number}"
        (folder / "feature.md").write_text(f"# Part {number}\n\npart{number}.py says which it is.\n")
        (folder / "tests.patch").write_text(new_file(f"tests/test_part{number}.py", TEST.format(number=number)))
        (folder / "feature.patch").write_text(new_file(f"part{number}.py", f"NUMBER = {number}\n"))
    if pairs is not None:
        (path / "subsets").mkdir()
        entry = {"repo": task.repo, "task_id": task.task_id, "pairs": pairs}
        (path / "subsets" / "chosen.json").write_text(json.dumps({"tasks": [entry]}))
    build_image(backend, task.recipe, base_image=None if backend == "local" else "cooperbench-test/base")
    return task


def new_file(path: str, text: str) -> str:
    """A patch that adds a file."""
    lines = text.splitlines()
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
        f"@@ -0,0 +1,{len(lines)} @@\n{body}"
    )
