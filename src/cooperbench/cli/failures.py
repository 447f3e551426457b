"""Say why members failed: in the line of an episode, in the account of one, and once for the whole run if all failed alike."""

from collections.abc import Iterator, Sequence

from cooperbench.cli.output import counted
from cooperbench.records import EpisodeResult, Failure
from cooperbench.records.episode_state import EpisodeView

_LONGEST = 200
"""Characters of a reason in the line of an episode."""


def reasons(result: EpisodeResult) -> str:
    """Return why members failed, to follow the line of their episode; empty if none did."""
    if result.error is not None:
        return f": {_short(result.error)}"
    failed = {name: _short(member.error) for name, member in result.agents.items() if member.error is not None}
    if len(failed) == len(result.agents) and len(set(failed.values())) == 1:
        return f": {next(iter(failed.values()))}"
    return "".join(f"; {name}: {reason}" for name, reason in failed.items())


def failure_lines(failure: Failure) -> Iterator[str]:
    """Yield the account of a failure: what, where in the agent's code, and what to do."""
    yield f"  {failure.boundary} error {failure.kind}: {failure.message}"
    for frame in failure.frames:
        yield f"    {frame}"
    if failure.hint:
        yield f"    try: {failure.hint}"


def common_failure(episodes: Sequence[EpisodeView]) -> str | None:
    """Return the line for a run in which every member of every episode failed in the same way; else `None`.

    It ends with the command that shows one of them at work.
    """
    results = [episode.result for episode in episodes if episode.result is not None]
    errors = [member.error for result in results for member in result.agents.values()]
    failures = [error for error in errors if error is not None]
    if not failures or len(failures) < len(errors) or len({(each.kind, each.message) for each in failures}) > 1:
        return None
    members = f"all {counted(len(errors), 'member')} failed alike" if len(errors) > 1 else "the only member failed"
    first = results[0]
    agent = next(iter(first.agents.values())).agent
    debug = f"; debug it: cooperbench agents run {agent} {first.repo}/{first.task_id} --debug"
    return f"{members}: {_short(failures[0])}{debug if failures[0].boundary == 'agent' else ''}"


def _short(failure: Failure) -> str:
    text = failure.message
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
