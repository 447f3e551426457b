"""Hunks of patches, against git itself."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cooperbench.records.hunks import join_hunks, split_hunks, without_context

LINES = st.lists(st.sampled_from(["a", "b", "", "@@ -1 +1 @@", "--- x", "+++ y", "c\r"]), max_size=14)


def difference(folder: Path, old: str, new: str, context: int = 0) -> bytes:
    (folder / "old").write_bytes(old.encode())
    (folder / "new").write_bytes(new.encode())
    command = ["git", "diff", "--no-index", f"-U{context}", "--no-color", "old", "new"]
    output = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout
    return output.replace(b"/new", b"/old")


def applied(folder: Path, patch: bytes) -> bytes:
    if patch:
        subprocess.run(
            ["git", "apply", "--unidiff-zero", "-"], cwd=folder, input=patch, check=True, capture_output=True
        )
    return (folder / "old").read_bytes()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, LINES, st.booleans(), st.data())
def test_any_hunks_can_be_left_out(
    tmp_path: Path, old: list[str], new: list[str], ended: bool, data: st.DataObject
) -> None:
    before, after = "\n".join(old) + "\n", "\n".join(new) + ("\n" if ended else "")
    hunks = split_hunks(difference(tmp_path, before, after))
    left_out = data.draw(st.sets(st.sampled_from(range(len(hunks))))) if hunks else set()
    expected, moved = before.encode().split(b"\n")[:-1], 0
    for position, hunk in enumerate(hunks):
        if position in left_out:
            continue
        start = hunk.old_start - (1 if hunk.old_lines else 0) + moved
        expected[start : start + hunk.old_lines] = hunk.added
        moved += hunk.new_lines - hunk.old_lines
    text = applied(tmp_path, join_hunks(hunks, left_out))
    assert text.split(b"\n")[: len(expected)] == expected
    assert len(text.split(b"\n")) <= len(expected) + 1


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, LINES, st.booleans())
def test_hunks_without_context_are_those_of_git(tmp_path: Path, old: list[str], new: list[str], ended: bool) -> None:
    before, after = "\n".join(old) + "\n", "\n".join(new) + ("\n" if ended else "")
    tight = split_hunks(difference(tmp_path, before, after))
    wide = split_hunks(difference(tmp_path, before, after, context=3))
    found = [piece for hunk in wide for piece in without_context(hunk)]
    assert [piece[3:7] + piece[8:] for piece in found] == [hunk[3:7] + hunk[8:] for hunk in tight]
    assert applied(tmp_path, join_hunks(found)) == after.encode()


@given(st.binary(max_size=300))
def test_anything_can_be_read(patch: bytes) -> None:
    split_hunks(b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n" + patch)
    split_hunks(patch)


def test_a_change_without_text_is_one_hunk() -> None:
    [hunk] = split_hunks(b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n")
    assert (hunk.path, hunk.changed) == ("x", ())
    assert join_hunks([hunk]) == hunk.data
    assert join_hunks([hunk], {0}) == b""
