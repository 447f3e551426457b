"""Say what of submissions was left out, and what changed while tests ran."""

from collections.abc import Iterator

from cooperbench.records import DropAction, Evaluation, Submission, SuiteResult

SHOWN = 10
"""Lines; the record has all."""
PATHS = 5
PATH_LENGTH = 120
"""Paths that are named in one line, and characters of each; the record has all."""

_WORDS = {
    DropAction.LEFT_OUT: "left out",
    DropAction.RESTORED: "restored",
    DropAction.PARTLY_RESTORED: "partly restored",
}


def left_out_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield a line for each part of a submission that does not count, with the reason."""
    for part in evaluation.dropped[:SHOWN]:
        word = _WORDS[part.action] if part.action is not None else "left out"
        yield f"{word} of {part.agent_id}: {part.path} ({part.reason})"
    if len(evaluation.dropped) > SHOWN:
        yield f"and {len(evaluation.dropped) - SHOWN} more; all are in eval.json"


def changed_lines(suite: SuiteResult) -> Iterator[str]:
    """Yield a line with what was not as it is in the gold patch's run."""
    if suite.changed:
        more = f" and {len(suite.changed) - SHOWN} more" if len(suite.changed) > SHOWN else ""
        yield f"    changed while the tests ran: {', '.join(suite.changed[:SHOWN])}{more}"


def unsubmitted_lines(submission: Submission) -> Iterator[str]:
    """Yield what of a member's work tree is not in its submission, and why."""
    yield from _path_lines("left out of the work", submission.skipped)
    yield from _path_lines("left out, because git ignores it", submission.ignored)


def _path_lines(what: str, paths: tuple[str, ...]) -> Iterator[str]:
    if paths:
        shown = (path if len(path) <= PATH_LENGTH else f"{path[:PATH_LENGTH]}…" for path in paths[:PATHS])
        more = f" and {len(paths) - PATHS} more" if len(paths) > PATHS else ""
        yield f"  {what}: {', '.join(shown)}{more}"
