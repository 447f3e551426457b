from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.patches import changed_lines, join_patch, leaves_the_tree, split_patch, touched_paths
from cooperbench.evaluation.sanitize import clean_submission
from tests.evaluation.trees import Checkout

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not name.lower().startswith((".git", "git~")) and len(name.encode()) < 200
)
CONTENT = st.binary(max_size=200) | st.text("ab \t\r\n-+@", max_size=200).map(str.encode)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(NAMES, CONTENT, max_size=3), after=st.dictionaries(NAMES, CONTENT, min_size=1, max_size=3)
)
def test_git_patches_are_split_by_file_and_apply_to_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    checkout = Checkout(tmp_path_factory.mktemp("c") / "repo", {f"d/{name}": data for name, data in before.items()})
    changes: dict[str, bytes | None] = {f"d/{name}": data for name, data in after.items()}
    changes.update({f"d/{name}": None for name in before if name not in after})
    patch = checkout.patch(changes)
    parts = split_patch(patch)
    assert join_patch(parts) == patch
    checkout.branch("work", patch)
    changed = checkout.read("diff", "-z", "--name-only", "--no-renames", "main", "work").split("\0")
    assert touched_paths(patch) == {name for name in changed if name}
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, patch, frozenset())
        assert cleaned.tree is not None
        if not cleaned.dropped:
            assert cleaned.tree == checkout.read("rev-parse", "work^{tree}")


@given(st.binary(max_size=400) | st.text("diff -git+@a/b \n,0123", max_size=400).map(str.encode))
def test_any_bytes_can_be_read(data: bytes) -> None:
    joined = join_patch(split_patch(data))
    assert data.endswith(joined)
    changed_lines(data)
    touched_paths(data)


def test_names_with_quotes_spaces_and_renames() -> None:
    patch = (
        b'diff --git "a/n\\303\\244me \\"x\\".py" "b/n\\303\\244me \\"x\\".py"\nold mode 100644\nnew mode 100755\n'
        b"diff --git a/two words.txt b/two words.txt\nnew file mode 100644\nindex 0000000..e69de29\n"
        b"diff --git a/old.py b/new dir/new.py\nsimilarity index 100%\nrename from old.py\nrename to new dir/new.py\n"
        b"diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    parts = split_patch(patch)
    assert [part.paths for part in parts] == [
        ('näme "x".py'.encode(),),
        (b"two words.txt",),
        (b"old.py", b"new dir/new.py"),
        (b"gone",),
    ]
    assert parts[3].new is None
    assert parts[1].old is None


def test_lines_that_look_like_headers_inside_hunks_are_content() -> None:
    patch = b"--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- a/comment\n-x\n+++ b/comment\n+y\n--- a/r\n+++ b/r\n@@ -1 +1 @@\n-1\n+2\n"
    assert touched_paths(patch) == {"q.sql", "r"}
    assert changed_lines(patch) == 6


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"../x", True),
        (b"/etc/passwd", True),
        (b"a/../../x", True),
        (b".git/hooks/x", True),
        (b"a/.GIT/config", True),
        (b".gitignore", False),
        (b"a/..b", False),
        (b".github/x", False),
    ],
)
def test_paths_that_no_tree_can_hold(path: bytes, expected: bool) -> None:
    assert leaves_the_tree(path) is expected


def test_a_stripped_patch_applies(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repo", {"a.py": b"1\n2\n3\n"})
    patch = checkout.patch({"a.py": b"1\nzwei\n3\n"}).strip()
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, patch, frozenset())
        assert cleaned.tree is not None
        assert not cleaned.recounted
        assert store.run("cat-file", "blob", f"{cleaned.tree}:a.py").stdout == b"1\nzwei\n3\n"


def test_wrong_hunk_counts_are_repaired_on_request_and_marked(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repo", {"a.py": b"1\n2\n3\n"})
    patch = checkout.patch({"a.py": b"1\nzwei\n3\n"}).replace(b"@@ -1,3 +1,3 @@", b"@@ -1,3 +1,9 @@")
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, patch, frozenset(), recount=True)
        assert cleaned.recounted
        assert cleaned.tree is not None
        strict = clean_submission(store, checkout.base, patch, frozenset())
        assert strict.tree is None
        assert "corrupt patch" in strict.reason


def test_a_patch_against_something_else_is_rejected_with_the_reason(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "repo", {"a.py": b"1\n2\n3\n"})
    other = Checkout(tmp_path / "other", {"a.py": b"x\ny\nz\n"})
    with open_store(checkout.store) as store:
        cleaned = clean_submission(store, checkout.base, other.patch({"a.py": b"x\nY\nz\n"}), frozenset())
    assert cleaned.tree is None
    assert "a.py" in cleaned.reason
