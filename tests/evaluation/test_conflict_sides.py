"""Whose work conflicts, and what base and both sides say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cooperbench._git import Git
from cooperbench.errors import EvaluationError
from cooperbench.evaluation.git import GitStore, open_store
from cooperbench.evaluation.merging import merge_members
from cooperbench.records import ConflictSides, StageStatus


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GitStore]:
    Git(EvaluationError).run("init", "-q", "--bare", str(tmp_path / "store.git"))
    with open_store(tmp_path / "store.git") as opened:
        yield opened


def tree(store: GitStore, **files: str) -> str:
    empty = store.check("mktree").decode().strip()
    return store.edit_tree(
        empty, [(f"{name}.py", "100644", store.write_blob(text.encode())) for name, text in files.items()]
    )


def test_a_conflict_names_everybody_whose_work_is_in_it(store: GitStore) -> None:
    base = tree(store, one="a\nb\nc\n", two="x\n", three="p\n")
    merged = merge_members(
        store,
        base,
        {
            "agent1": tree(store, one="a\nB\nc\n", two="x\n", three="p\n"),
            "agent2": tree(store, one="a\nb\nc\n", two="y\n", three="p\n"),
            "agent3": tree(store, one="a\nb\nc\n=======\n", two="x\n", three="p\n"),
            "agent10": tree(store, one="a\nmine\nc\n", two="z\n", three="q\n"),
        },
    )
    assert merged.status is StageStatus.CONFLICT
    one, two = merged.steps[-1].conflicts
    assert (one.path, one.theirs, one.ours) == ("one.py", "agent10", ("agent1", "agent3"))
    assert (two.path, two.theirs, two.ours) == ("two.py", "agent10", ("agent2",))
    assert two.sides == (ConflictSides(base="x\n", ours="y\n", theirs="z\n"),)
    assert one.sides[0].base.startswith("b\n")
    assert "mine\n" in one.sides[0].theirs


def test_a_file_that_one_side_removed_has_no_regions(store: GitStore) -> None:
    base = tree(store, one="a\n", two="x\n")
    gone, changed = tree(store, two="x\n"), tree(store, one="b\n", two="x\n")
    [conflict] = merge_members(store, base, {"agent1": gone, "agent2": changed}).steps[-1].conflicts
    assert (conflict.kind, conflict.ours, conflict.theirs, conflict.sides) == (
        "modify/delete",
        ("agent1",),
        "agent2",
        (),
    )
