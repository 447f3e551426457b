"""Exit codes of commands that work on a run."""

from collections.abc import Collection

from cooperbench.records import GroupKey
from cooperbench.records.run_result import RunResult


def exit_code(result: RunResult, *, judged: bool = True, part: Collection[GroupKey] | None = None) -> int:
    """Return the exit code of `run` and `eval`: 1 when an episode of `part`, by default the run, lacks its result.

    With `judged`, a missing verdict makes it 1, too.
    """
    from cooperbench.runner.engine.signals import EXIT_INTERRUPTED

    if result.interrupted:
        return EXIT_INTERRUPTED
    concerned = [each for each in result.episodes if part is None or each.group in part]
    complete = all(each.completed is not None for each in concerned)
    missing = judged and any(each.completed is not None and each.verdict is None for each in concerned)
    return 0 if complete and not result.stopped and not missing else 1
