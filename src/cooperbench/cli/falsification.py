"""Say in words what broken tests showed about a suite."""

from collections.abc import Iterator

from cooperbench.cli.output import counted
from cooperbench.records import Falsification, FalsificationStatus


def falsification_lines(found: Falsification | None) -> Iterator[str]:
    """Yield the lines below a suite's own; none if it was not run with broken tests."""
    if found is None:
        return
    if found.status is FalsificationStatus.HELD:
        yield f"    proven by {counted(found.broken, 'broken test')} in {counted(found.runs, 'run')}"
    elif found.status in (FalsificationStatus.UNAVAILABLE, FalsificationStatus.UNFINISHED):
        yield f"    not proven: {found.reason}"
    elif found.mismatch is not None:
        yield f"    contradicted by broken tests: {found.mismatch.test}"
        if found.mismatch.edit is not None:
            edit = found.mismatch.edit
            yield f"      {edit.path}:{edit.line} had: {edit.before}"
            yield f"      {edit.path}:{edit.line} got: {edit.after}"
        yield f"      gold patch: {found.mismatch.expected}; this work: {found.mismatch.found}"
