"""Print the hidden tests of one episode: each stage and suite, failing tests first, with what they printed."""

from collections.abc import Iterator, Sequence

from cooperbench.cli.falsification import falsification_lines
from cooperbench.cli.left_out import changed_lines
from cooperbench.cli.output import counted
from cooperbench.records import Outcome, Stage, SuiteResult, TestCase, TestStatus, Verdict
from cooperbench.records.episode_state import EpisodeView
from cooperbench.records.visible import one_line, quoted

_MARK = "      | "
_BAD = (TestStatus.FAILED, TestStatus.ERROR)


def suite_lines(episode: EpisodeView, *, text: bool, errors_only: bool) -> Iterator[str]:
    """Yield the tests of an episode. With `text` also those that passed, with `errors_only` only suites that did not pass."""
    evaluation = episode.evaluation
    if evaluation is None:
        yield "not evaluated"
        return
    for stage in evaluation.stages:
        if errors_only and _is_fine(stage):
            continue
        yield from _stage_lines(stage, episode.verdict)
        if stage.same_as is not None:
            continue  # the same suites are printed with that stage
        for suite in stage.suites:
            if not errors_only or suite.outcome is not Outcome.PASSED:
                yield from _suite_lines(suite, text=text)


def failing_tests(suite: SuiteResult) -> tuple[TestCase, ...]:
    """Return the tests that had to pass and did not, with their output where it is known."""
    if suite.outcome is Outcome.PASSED:
        return ()
    known = {test.name: test for test in suite.tests}
    if suite.failed:
        return tuple(known.get(name) or TestCase(name=name, status=TestStatus.ERROR) for name in suite.failed)
    return tuple(test for test in suite.tests if test.status in _BAD)


def _is_fine(stage: Stage) -> bool:
    merged = all(not step.conflicts and not step.reason for step in stage.steps)
    return merged and stage.error is None and all(suite.outcome is Outcome.PASSED for suite in stage.suites)


def _stage_lines(stage: Stage, verdict: Verdict | None) -> Iterator[str]:
    decides = f" (decides under {verdict.policy})" if verdict is not None and stage.name == verdict.stage else ""
    same = f", the same tree as {stage.same_as}, and so the same tests" if stage.same_as else ""
    yield one_line(f"stage {stage.name}: {stage.status.value}{same}{decides}")
    for step in stage.steps:
        for conflict in step.conflicts:
            places = "".join(f", lines {first} to {last}" for first, last in conflict.regions)
            ours = f" with {', '.join(conflict.ours)}" if conflict.ours else ""
            yield one_line(f"  conflict ({conflict.kind}) in {conflict.path}{places}: {step.agent_id}{ours}")
        if step.reason:
            yield one_line(f"  {step.agent_id}: {step.reason}")
    if stage.error is not None:
        yield one_line(f"  {stage.error.boundary} error {stage.error.kind}: {stage.error.message}")


def _suite_lines(suite: SuiteResult, *, text: bool) -> Iterator[str]:
    failing = failing_tests(suite)
    passed = [test for test in suite.tests if test.status is TestStatus.PASSED]
    counts = f"{counted(len(failing), 'test')} of {len(suite.tests)} failing, " if failing else ""
    said = f": {suite.reason}" if suite.reason else ""
    yield one_line(
        f"  feature {suite.feature}: {suite.outcome.value} in {suite.seconds:.1f} s, {counts}{len(passed)} passing{said}"
    )
    for line in (*falsification_lines(suite.falsification), *changed_lines(suite)):
        yield one_line(line)
    yield from _failing_lines(failing, suite)
    for test in passed if text else ():
        yield one_line(f"    passed {test.name}")


def _failing_lines(failing: Sequence[TestCase], suite: SuiteResult) -> Iterator[str]:
    for test in failing:
        yield one_line(f"    {test.status.value} {test.name}")
        if test.output:
            yield quoted(test.output, _MARK).rstrip("\n")
    apart = failing and all(test.output for test in failing)
    if suite.outcome is not Outcome.PASSED and not apart and suite.output_tail:
        yield "    the end of what the runner printed:"
        yield quoted(suite.output_tail, _MARK).rstrip("\n")
