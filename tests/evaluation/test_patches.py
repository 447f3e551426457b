from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.evaluation.git import open_store
from cooperbench.evaluation.patches import changed_lines, join_patch, leaves_the_tree, lint, touched_paths
from cooperbench.evaluation.sanitize import clean_submission
from cooperbench.records.patch_files import split_patch
from tests.evaluation.trees import PATCH, Checkout, git

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not name.lower().startswith((".git", "git~")) and len(name.encode()) < 200
)
CONTENT = st.binary(max_size=200) | st.text("ab \t\r\n-+@", max_size=200).map(str.encode)


@pytest.mark.slow
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


HEADER_LIKE = [b"--- a/x", b"+++ b/x", b"@@ -1 +1 @@", b"diff --git a/x b/x", b"-- a/x", b"++ b/x", b"GIT binary patch"]
LINE = st.sampled_from(
    [b"x", b"y", b"", b"\r", b"x\r", b"a\x0cb\rc", b"\xff", b"\\ No newline at end of file", *HEADER_LIKE]
)
TEXT = st.builds(lambda lines, end: b"\n".join(lines) + end, st.lists(LINE, max_size=8), st.sampled_from([b"", b"\n"]))
FILE = st.tuples(TEXT | st.sampled_from([b"\0binary", b"\0\n+other\n"]), st.sampled_from([0o644, 0o755]))
FILES = st.dictionaries(
    st.sampled_from(
        ["a", "two words", "tab\t", 'quo"te', "back\\slash", "caf\udce9", "\xe9", "a b/c d", "-x", "new\nline"]
    ),
    FILE,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=FILES, after=FILES, options=st.sampled_from(["-M", "-C", "-U0", "--no-renames", "--full-index"]))
def test_what_is_read_of_a_patch_is_what_git_reads(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, tuple[bytes, int]],
    after: dict[str, tuple[bytes, int]],
    options: str,
) -> None:
    checkout = Checkout(tmp_path_factory.mktemp("g") / "repo", {name: content for name, (content, _) in before.items()})
    trees = []
    for files in (before, after):
        git("rm", "-qrf", "--ignore-unmatch", ".", cwd=checkout.path)
        checkout.write({name: content for name, (content, _) in files.items()})
        for name, (_, mode) in files.items():
            (checkout.path / name).chmod(mode)
        git("add", "-A", "-f", cwd=checkout.path)
        trees.append(checkout.read("write-tree"))
    compare = ("diff-tree", "-r", *trees)
    patch = git(*compare, "-p", "--binary", options, cwd=checkout.path).stdout
    applied = git("apply", "--numstat", "-z", cwd=checkout.path, stdin=patch, check=bool(patch)).stdout
    counts = [entry.split(b"\t", 2) for entry in applied.split(b"\0") if entry]
    parts = split_patch(patch)
    assert join_patch(parts) == patch
    assert [part.new or part.old for part in parts] == [name for _, _, name in counts]
    assert [part.lines for part in parts] == [
        sum(int(number) for number in numbers if number != b"-") for *numbers, _ in counts
    ]
    compared = git(
        *compare, "--numstat", "--no-renames" if options == "-U0" else options, cwd=checkout.path
    ).stdout.splitlines()
    assert changed_lines(patch) == sum(int(n) for line in compared for n in line.split(b"\t")[:2] if n != b"-")
    named = git(*compare, "--name-only", "-z", "--no-renames", cwd=checkout.path).stdout.split(b"\0")
    copied = {part.old for part in parts if b"\ncopy from " in part.data}
    assert {path for part in parts for path in part.paths} - copied == set(filter(None, named)) - copied


@given(st.binary(max_size=400) | st.text('diff -git+@a/b \n,0123"\\', max_size=400).map(str.encode))
def test_any_bytes_can_be_read(data: bytes) -> None:
    joined = join_patch(split_patch(data))
    assert data.endswith(joined)
    changed_lines(data)
    lint(data)
    touched_paths(data)


@pytest.mark.parametrize("count", [b"-1,%d +1", b"-1 +1,%d"])
def test_a_count_without_an_end_can_be_read(count: bytes) -> None:
    """Python refuses to read integers of thousands of digits."""
    patch = b"--- a/x\n+++ b/x\n@@ " + count.replace(b"%d", b"9" * 6000) + b" @@\n-1\n+2\n"
    assert join_patch(split_patch(patch)) == patch
    lint(patch)


@pytest.mark.parametrize("head", [b'diff --git a"', b"diff --git", b"new file mode 1\ndeleted file mode 1"])
def test_broken_headers_can_be_read(head: bytes) -> None:
    patch = b"diff --git a/x b/x\n" + head + b"\n@@ -1 +1 @@\n-1\n+2\n"
    assert join_patch(split_patch(patch)) == patch
    lint(patch)


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


def test_changed_lines_counts_lines_that_look_like_headers() -> None:
    patch = PATCH.replace(b"+import sys\n", b"+import sys\n--- old title\n+++ new title\n")
    assert changed_lines(PATCH) == 1
    assert changed_lines(patch) == 3


def test_lint_names_what_does_not_belong() -> None:
    def added(path: bytes, body: bytes) -> bytes:
        return b"diff --git a/%s b/%s\nnew file mode 100644\n--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n%s" % (
            path,
            path,
            path,
            body,
        )

    patch = (
        PATCH
        + added(b"pkg/core.py.rej", b"+x\n")
        + added(b"pkg/__pycache__/core.cpython-311.pyc", b"+x\n")
        + added(b"notes.md", b"+<<<<<<< HEAD\n+a\n+=======\n+b\n+>>>>>>> other\n")
        + added(b"big.bin", b"+" + b"x" * (1 << 20) + b"\n")
    )
    found = {(finding.path, finding.kind) for finding in lint(patch)}
    assert found == {
        ("pkg/core.py.rej", "merge_leftover"),
        ("pkg/__pycache__/core.cpython-311.pyc", "cache"),
        ("notes.md", "conflict_marker"),
        ("big.bin", "huge_file"),
    }
    assert lint(PATCH) == ()
