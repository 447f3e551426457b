"""What an image has checked out is inspected once, and every sandbox of it is prepared in the same way."""

import os
from pathlib import Path

import pytest

from cooperbench.environments import LocalEnvironment, worktree
from cooperbench.environments.bases import ensure_base, find_base, prepare_for_agent
from cooperbench.testing import sample_image
from tests.environments.test_worktree import entries_of

pytestmark = pytest.mark.needs("sandbox")

FILES = {"a.py": b"one\n", "empty": b"", "sub/x": b"1\n"}
ALL_OBJECTS = "git cat-file --batch-all-objects --batch-check='%(objecttype)'"


@pytest.fixture
def image() -> str:
    return sample_image("test:bases", files=FILES)


def test_every_sandbox_of_an_image_is_prepared_alike(image: str, tmp_path: Path) -> None:
    trees = []
    for number in range(2):
        store = tmp_path / f"store{number}.git"
        with LocalEnvironment(image) as environment:
            tree = prepare_for_agent(environment, store)
            environment.execute("echo two >>a.py; echo new >new.txt")
            captured = worktree.capture(environment, store, tree)
        assert entries_of(store, tree) == {path.encode(): ("100644", data) for path, data in FILES.items()}
        assert entries_of(store, captured.tree)[b"a.py"] == ("100644", b"one\ntwo\n")
        trees.append(tree)
        base = find_base(image, environment.image_digest or "", environment.options.cwd)
        assert base is not None
        assert base.is_clean
    assert trees[0] == trees[1]


def test_a_known_image_costs_its_next_sandboxes_no_program(image: str, tmp_path: Path) -> None:
    with LocalEnvironment(image) as first:
        prepare_for_agent(first, tmp_path / "first.git")
    with LocalEnvironment(image) as environment:
        environment.execute("mv .git elsewhere")  # nothing is asked of the repository any more
        prepare_for_agent(environment, tmp_path / "second.git")


def test_later_history_in_an_image_is_stripped_from_each_sandbox(image: str, tmp_path: Path) -> None:
    with LocalEnvironment(image) as environment:
        environment.execute(
            "git checkout -q -b solution && git commit -qam secret --allow-empty && git checkout -q main"
        )
        dirty = environment.snapshot()
    for number in range(2):
        with LocalEnvironment(dirty) as environment:
            assert environment.execute(ALL_OBJECTS)["output"].count("commit") == 2
            prepare_for_agent(environment, tmp_path / f"{number}.git")
            assert environment.execute(ALL_OBJECTS)["output"].count("commit") == 1
        base = find_base(dirty, environment.image_digest or "", environment.options.cwd)
        assert base is not None
        assert not base.is_clean


def test_a_base_outlives_what_was_left_of_an_earlier_attempt(image: str, tmp_path: Path) -> None:
    with LocalEnvironment(image) as environment:
        kept = ensure_base(environment)
        assert kept is not None
        (kept.store.parent / "base.json").unlink()  # killed, or the disk was full
        again = ensure_base(environment)
        assert again is not None
        assert entries_of(again.store, again.tree).keys() == {os.fsencode(path) for path in FILES}
