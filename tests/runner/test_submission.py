from hypothesis import given
from hypothesis import strategies as st

from cooperbench.records import PatchSource
from cooperbench.runner.episodes.submission import choose_patch
from tests.evaluation.trees import PATCH


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
    assert choose_patch(PATCH.strip(), full) == (full, PatchSource.AGENT)


def test_the_capture_stands_in_when_the_agent_returns_nothing() -> None:
    assert choose_patch(b"  \n", PATCH) == (PATCH, PatchSource.CAPTURED)
    assert choose_patch(b"", b"") == (b"", PatchSource.NONE)


@given(st.binary(), st.binary())
def test_a_choice_never_loses_work_and_never_invents_any(returned: bytes, captured: bytes) -> None:
    patch, source = choose_patch(returned, captured)
    assert patch in (returned, returned + b"\n", captured, b"")
    assert (source is PatchSource.NONE) == (not returned.strip() and not captured.strip())
    assert source is not PatchSource.NONE or patch == b""
