from pathlib import Path

import pytest

from cooperbench.errors import EvaluationError
from cooperbench.evaluation import base_of_repository
from cooperbench.evaluation.git import open_store
from tests.evaluation.trees import Checkout, git


def test_a_clone_may_be_named_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(tmp_path / "repo", {"a.py": b"x"})
    monkeypatch.chdir(tmp_path)
    base = base_of_repository(Path("repo"), checkout.base_commit)
    assert base.tree == checkout.base
    with open_store(base.store) as store:
        assert store.has(base.tree, "a.py")
    with pytest.raises(EvaluationError, match="does not hold commit"):
        base_of_repository(Path("repo"), "0" * 40)


def test_a_work_tree_of_a_clone_is_one(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repo", {"a.py": b"x"})
    git("worktree", "add", "-q", "--detach", "../work", cwd=checkout.path)
    base = base_of_repository(tmp_path / "work", checkout.base_commit)
    with open_store(base.store) as store:
        assert store.has(base.tree, "a.py")
        store.commit(base.tree)
