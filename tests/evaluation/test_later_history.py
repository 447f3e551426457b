"""Images that hold the repository's later commits: the solution in them is not to be had where work is tested."""

from dataclasses import replace
from pathlib import Path

import pytest

from cooperbench.environments import LocalEnvironment, ensure_image
from cooperbench.environments.bases import HISTORY
from cooperbench.evaluation import score
from cooperbench.records import Outcome, cache_dir
from cooperbench.tasks import Task
from tests.evaluation.test_suites import with_runner

pytestmark = [pytest.mark.needs("sandbox"), pytest.mark.slow]

FEATURE = 3
SOURCE = "src/shelfdb/updates.py"
READS_THE_SOLUTION = f"""import subprocess

COMMITS = "git cat-file --batch-all-objects --batch-check | sed -n 's/ commit .*//p' | grep -v $(git rev-parse HEAD)"
SHOW = f"git show $({{COMMITS}} | head -n 1):{SOURCE}"
exec(subprocess.run(["sh", "-c", SHOW], check=True, capture_output=True, text=True).stdout)
"""


@pytest.fixture
def later(shelfdb: Task, tmp_path: Path) -> Task:
    """A task whose image has the solution in a later commit, and whose runner needs the tag of the base."""
    ensure_image("local", shelfdb.recipe)
    with LocalEnvironment(shelfdb.image) as environment:
        environment.write_file("/tmp/gold.patch", shelfdb.features[FEATURE].gold_patch)
        done = environment.execute(
            "set -e; git tag -a v1 -m v1; git tag v0; git checkout -q -b upstream; git apply /tmp/gold.patch;"
            "git commit -qam later; git tag -a v2 -m v2; git tag v3; git checkout -q main"
        )
        assert done["returncode"] == 0, done["output"]
        image = environment.snapshot()
    task = with_runner(
        shelfdb, tmp_path, "git describe --exact-match v1; git describe --tags v0; python3 -m pytest -q tests"
    )
    return replace(task, image=image, recipe=task.recipe.model_copy(update={"name": image, "bundled": False}))


def test_work_that_reads_the_solution_fails(later: Task) -> None:
    with LocalEnvironment(later.image) as environment:
        environment.write_file(f"/workspace/repo/{SOURCE}", READS_THE_SOLUTION.encode())
        assert environment.execute("PYTHONPATH=src python3 -c 'import shelfdb.updates'")["returncode"] == 0
        work = environment.execute("git diff")["output"].encode()
    stolen = score(later, {FEATURE: work}, falsify="off")
    assert stolen.verdict.outcome is Outcome.TESTS_FAILED, stolen.verdict
    assert list(cache_dir().glob(f"bases/*/{HISTORY}"))
    gold = score(later, {FEATURE: later.features[FEATURE].gold_patch}, falsify="off")
    assert gold.verdict.passed, gold.verdict
