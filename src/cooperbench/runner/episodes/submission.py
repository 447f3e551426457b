"""Choose the patch that counts as a member's submission.

The agent's own patch is used; the harness's capture of the work tree stands in when there is none. Agents commonly strip
a diff they return (the published example does), which takes the final newline that `git apply` needs and may take white
space that belongs to the change: such a patch is recognised by comparing it with the capture, and the capture, which is
exact, is used in its place.
"""

from cooperbench.records import PatchSource


def choose_patch(returned: bytes, captured: bytes) -> tuple[bytes, PatchSource]:
    """Choose between what the agent returned and what the harness captured; return the bytes and their source."""
    if not returned.strip():
        return (captured, PatchSource.CAPTURED) if captured.strip() else (b"", PatchSource.NONE)
    if _without_spaces(returned) == _without_spaces(captured):
        return captured, PatchSource.AGENT
    return returned if returned.endswith(b"\n") else returned + b"\n", PatchSource.AGENT


def _without_spaces(patch: bytes) -> bytes:
    # `index` lines differ in how many digits git was asked for, and say nothing about the change.
    lines = (line for line in patch.split(b"\n") if not line.startswith(b"index "))
    return b"".join(b"".join(lines).split())
