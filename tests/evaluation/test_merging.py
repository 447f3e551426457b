import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.merging import Merged, merge_members
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.records import StageStatus
from tests.evaluation.trees import Checkout

LINES = b"".join(b"line %d\n" % number for number in range(1, 21))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "repo", {"a.txt": LINES, "gone.txt": b"1\n"})


def change(line: int, text: bytes) -> bytes:
    return LINES.replace(b"line %d\n" % line, text)


def merge(
    checkout: Checkout, *patches: bytes, union: bool = False, names: tuple[str, ...] = ()
) -> tuple[Merged, dict[str, bytes]]:
    with open_store(checkout.store) as store:
        trees: dict[str, str] = {}
        for name, patch in itertools.zip_longest(names or [f"agent{n}" for n in range(1, len(patches) + 1)], patches):
            cleaned = clean_submission(store, checkout.base, patch, frozenset())
            assert cleaned.tree is not None
            trees[name] = cleaned.tree
        merged = merge_members(store, checkout.base, trees, union=union)
        files = {
            c.path: store.blob(c.new_blob)
            for c in store.changes(checkout.base, merged.tree or checkout.base)
            if not c.deleted
        }
        return merged, files


def test_changes_in_different_places_merge(checkout: Checkout) -> None:
    merged, files = merge(
        checkout, checkout.patch({"a.txt": change(2, b"two\n")}), checkout.patch({"a.txt": change(15, b"fifteen\n")})
    )
    assert merged.status is StageStatus.CLEAN
    assert [step.status for step in merged.steps] == [StageStatus.CLEAN, StageStatus.CLEAN]
    assert b"two\n" in files["a.txt"]
    assert b"fifteen\n" in files["a.txt"]


def test_a_conflict_names_files_kinds_and_regions(checkout: Checkout) -> None:
    first = checkout.patch({"a.txt": change(5, b"mine\n"), "gone.txt": b"changed\n", "new.txt": b"1\n"})
    second = checkout.patch({"a.txt": change(5, b"yours\n"), "gone.txt": None, "new.txt": b"2\n"})
    merged, _ = merge(checkout, first, second)
    assert merged.status is StageStatus.CONFLICT
    conflicts = {conflict.path: conflict for conflict in merged.steps[1].conflicts}
    assert {path: conflict.kind for path, conflict in conflicts.items()} == {
        "a.txt": "content",
        "gone.txt": "modify/delete",
        "new.txt": "add/add",
    }
    assert conflicts["a.txt"].regions == ((5, 9),)


def test_union_keeps_both_sides_but_cannot_settle_a_deletion(checkout: Checkout) -> None:
    first, second = checkout.patch({"a.txt": change(5, b"mine\n")}), checkout.patch({"a.txt": change(5, b"yours\n")})
    merged, files = merge(checkout, first, second, union=True)
    assert merged.status is StageStatus.CLEAN
    assert b"line 4\nmine\nyours\nline 6\n" in files["a.txt"]
    deleted, _ = merge(checkout, checkout.patch({"gone.txt": b"2\n"}), checkout.patch({"gone.txt": None}), union=True)
    assert deleted.status is StageStatus.CONFLICT


def test_identical_contained_and_empty_work_is_recognised(checkout: Checkout) -> None:
    small = checkout.patch({"a.txt": change(2, b"two\n")})
    large = checkout.patch({"a.txt": change(2, b"two\n").replace(b"line 15\n", b"fifteen\n")})
    identical, _ = merge(checkout, small, small)
    assert identical.steps[1].relation == "identical"
    contained, _ = merge(checkout, large, small)
    assert contained.steps[1].relation == "contained"
    empty, files = merge(checkout, small, b"")
    assert [step.status for step in empty.steps] == [StageStatus.CLEAN, StageStatus.EMPTY]
    assert files
    nobody, _ = merge(checkout, b"", b"")
    assert nobody.status is StageStatus.EMPTY
    assert nobody.tree is None


def test_many_members_merge_in_the_order_of_their_names(checkout: Checkout) -> None:
    patches = [checkout.patch({"a.txt": change(n, b"new %d\n" % n)}) for n in (3, 8, 13)]
    merged, files = merge(checkout, *patches, names=("agent10", "agent2", "agent1"))
    assert [step.agent_id for step in merged.steps] == ["agent1", "agent2", "agent10"]
    assert merged.status is StageStatus.CLEAN
    assert files["a.txt"].count(b"new") == 3


def test_the_first_conflicting_step_ends_the_merge(checkout: Checkout) -> None:
    patches = [checkout.patch({"a.txt": change(5, text)}) for text in (b"one\n", b"two\n", b"three\n")]
    merged, _ = merge(checkout, *patches)
    assert [step.status for step in merged.steps] == [StageStatus.CLEAN, StageStatus.CONFLICT]


def test_crlf_binary_and_missing_last_newlines_survive(tmp_path: Path) -> None:
    base = {
        "crlf.txt": b"a\r\nb\r\nc\r\nd\r\ne\r\nf\r\n",
        "bin": bytes(range(256)),
        "end": b"x\ny",
        ".gitignore": b"*.log\n",
    }
    checkout = Checkout(tmp_path / "repo", base)
    first = checkout.patch({"crlf.txt": base["crlf.txt"].replace(b"a\r\n", b"A\r\n"), "bin": bytes(range(255, -1, -1))})
    second = checkout.patch(
        {"crlf.txt": base["crlf.txt"].replace(b"f\r\n", b"F\r\n"), "end": b"x\nz", "kept.log": b"\xff\xfe"}
    )
    merged, files = merge(checkout, first, second)
    assert merged.status is StageStatus.CLEAN
    assert files["crlf.txt"] == b"A\r\nb\r\nc\r\nd\r\ne\r\nF\r\n"
    assert files["bin"] == bytes(range(255, -1, -1))
    assert files["end"] == b"x\nz"
    assert files["kept.log"] == b"\xff\xfe"


def test_attributes_hooks_and_filters_of_a_submission_have_no_say(checkout: Checkout) -> None:
    trap = {".gitattributes": b"* filter=evil merge=evil diff=evil\n*.txt merge=union\n"}
    first = checkout.patch({"a.txt": change(5, b"mine\n"), **trap})
    second = checkout.patch({"a.txt": change(5, b"yours\n"), **trap})
    merged, files = merge(checkout, first, second)
    assert merged.status is StageStatus.CONFLICT
    assert ".gitattributes" not in files


def test_built_in_merge_attributes_of_the_base_are_respected(tmp_path: Path) -> None:
    checkout = Checkout(
        tmp_path / "repo", {"CHANGES": b"top\n", ".gitattributes": b"# all\nCHANGES text merge=union\n"}
    )
    patches = [checkout.patch({"CHANGES": b"top\n" + text}) for text in (b"one\n", b"two\n")]
    for name, patch in zip(("one", "two"), patches, strict=True):
        checkout.branch(name, patch)
    assert checkout.merges_cleanly("one", "two")
    assert merge(checkout, *patches)[0].status is StageStatus.CLEAN


EDITS = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([b"", b"A\n", b"B\n", b"A\nB\n"])), min_size=1, max_size=3
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EDITS, second=EDITS)
def test_verdicts_are_those_of_git_merge(
    tmp_path_factory: pytest.TempPathFactory, first: list[tuple[int, bytes]], second: list[tuple[int, bytes]]
) -> None:
    checkout = Checkout(tmp_path_factory.mktemp("m") / "repo", {"a.txt": LINES})
    patches = []
    for name, edits in (("one", first), ("two", second)):
        text = LINES
        for line, new in edits:
            text = text.replace(b"line %d\n" % line, new)
        patches.append(checkout.patch({"a.txt": text}))
        checkout.branch(name, patches[-1])
    merged, _ = merge(checkout, *patches)
    assert (merged.status is not StageStatus.CONFLICT) is checkout.merges_cleanly("one", "two")


def test_nothing_is_written_to_the_base_repository(checkout: Checkout) -> None:
    before = sorted(path.name for path in (checkout.store / "objects").rglob("*"))
    with open_store(checkout.store) as store:
        store.write_blob(b"something new")
        clean_submission(store, checkout.base, b"", frozenset())
    assert sorted(path.name for path in (checkout.store / "objects").rglob("*")) == before
