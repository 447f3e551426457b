from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import PatchSource
from cooperbench.runner.episodes.submission import changed_lines, choose_patch, lint

PATCH = b"""diff --git a/pkg/core.py b/pkg/core.py
index 1234567..89abcde 100644
--- a/pkg/core.py
+++ b/pkg/core.py
@@ -1,2 +1,3 @@
 import os
+import sys
 x = 1
"""


def test_the_agents_own_patch_is_honoured() -> None:
    other = PATCH.replace(b"sys", b"re")
    assert choose_patch(other, PATCH) == (other, PatchSource.AGENT)


def test_a_stripped_patch_gets_its_end_back() -> None:
    with_space_at_the_end = PATCH + b"+value = 1  \n \n"
    stripped = with_space_at_the_end.strip()
    assert choose_patch(stripped, with_space_at_the_end) == (with_space_at_the_end, PatchSource.AGENT)
    assert choose_patch(PATCH.strip(), b"") == (PATCH, PatchSource.AGENT)


def test_abbreviated_object_names_do_not_make_another_patch() -> None:
    full = PATCH.replace(b"index 1234567..89abcde", b"index " + b"1" * 40 + b".." + b"2" * 40)
    assert choose_patch(PATCH.strip(), full).patch == full


def test_the_capture_stands_in_when_the_agent_returns_nothing() -> None:
    assert choose_patch(b"  \n", PATCH) == (PATCH, PatchSource.CAPTURED)
    assert choose_patch(b"", b"") == (b"", PatchSource.NONE)


@given(st.binary(), st.binary())
def test_a_choice_never_loses_work_and_never_invents_any(returned: bytes, captured: bytes) -> None:
    patch, source = choose_patch(returned, captured)
    assert patch in (returned, returned + b"\n", captured, b"")
    assert (source is PatchSource.NONE) == (not returned.strip() and not captured.strip())
    assert source is not PatchSource.NONE or patch == b""


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
