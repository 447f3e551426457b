import os
import subprocess
from pathlib import Path

import pytest

from cooperbench.errors import UsageError
from cooperbench.tasks import Task, discover_groups, discover_tasks, new_task, read_subset, sample_pairs, write_subset
from tests.tasks.test_dataset import make_task

ENVIRONMENT = os.environ | {
    f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return done.stdout.strip()


def repository_of(task: Task, scratch: Path, log_format: str) -> str:
    """The log of the repository that a task brings, with everything that is reachable in it."""
    assert task.recipe.repository is not None
    git(scratch, "clone", "-q", "-b", "main", str(task.recipe.repository), "imported")
    return git(scratch / "imported", "log", "--all", f"--format={log_format}")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    path = tmp_path / "clone"
    path.mkdir()
    git(path, "init", "-q", "-b", "trunk")
    for text in ("one", "two", "the solution"):
        (path / "file.txt").write_text(text)
        git(path, "add", "-A")
        git(path, "commit", "-qm", text)
    git(path, "tag", "v1")
    return path


def test_a_new_task_has_the_history_up_to_its_commit_and_nothing_later(clone: Path, tmp_path: Path) -> None:
    task = new_task(tmp_path / "data", "my_tool", repository=clone, commit="HEAD~1", test="sh test.sh", features=3)
    assert task.key == "my_tool_task/1"
    assert list(task.features) == [1, 2, 3]
    assert task.recipe.repository is not None
    assert (log := repository_of(task, tmp_path, "%H %s").splitlines())[0] == git(
        clone, "log", "-1", "--format=%H %s", "HEAD~1"
    )
    assert [line.split(" ", 1)[1] for line in log] == ["two", "one"]
    assert b"sh test.sh" in task.runner
    assert os.access(task.path / "runner.sh", os.X_OK)
    assert [found.key for found in discover_tasks(tmp_path / "data")] == ["my_tool_task/1"]


def test_a_clone_without_its_history_gives_a_task_of_one_commit(clone: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{clone}", str(shallow))
    with pytest.raises(UsageError, match="does not hold the whole history") as caught:
        new_task(tmp_path / "data", "tool", repository=shallow, commit="HEAD", test="true")
    assert "--no-history" in str(caught.value.hint)
    assert not (tmp_path / "data").exists()
    task = new_task(tmp_path / "data", "tool", repository=shallow, commit="HEAD", test="true", history=False)
    assert repository_of(task, tmp_path, "%T %an %ad %s") == git(clone, "log", "-1", "--format=%T %an %ad %s")


@pytest.mark.parametrize(
    ("name", "commit", "message"),
    [("My Tool", "HEAD", "is not a task name"), ("tool", "nope", "does not hold commit nope")],
)
def test_nothing_is_written_for_a_task_that_cannot_be(
    clone: Path, tmp_path: Path, name: str, commit: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        new_task(tmp_path / "data", name, repository=clone, commit=commit, test="true")
    assert not (tmp_path / "data").exists()


def test_an_existing_task_is_kept(clone: Path, tmp_path: Path) -> None:
    new_task(tmp_path, "tool", repository=clone, commit="HEAD", test="true")
    with pytest.raises(UsageError, match="exists"):
        new_task(tmp_path, "tool", repository=clone, commit="HEAD", test="true")


def test_samples_are_repeatable_and_usable(tmp_path: Path) -> None:
    make_task(tmp_path, "a_task", 0, (1, 2, 3, 4))
    make_task(tmp_path, "b_task", 7, (1, 5))
    tasks = discover_tasks(tmp_path)
    drawn = sample_pairs(tasks, pairs=4, seed=42, name="mine")
    assert drawn == sample_pairs(tasks, pairs=4, seed=42, name="mine")
    assert drawn != sample_pairs(tasks, pairs=4, seed=43, name="mine")
    write_subset(tmp_path, drawn)
    assert read_subset(tmp_path, "mine") == drawn
    assert len(discover_groups(discover_tasks(tmp_path, "mine"), subset="mine")) == 4
    with pytest.raises(UsageError, match="there are 7"):
        sample_pairs(tasks, pairs=8, seed=1, name="x")
